package forwarded

import (
	"net/netip"
	"strings"
	"testing"
)

// read collects what a value says, nearest first; "-" is an address that is not said.
func read(f func([]byte, func(netip.Addr) bool) error, value string) (string, error) {
	var all []string
	err := f([]byte(value), func(a netip.Addr) bool {
		if a.IsValid() {
			all = append(all, a.String())
		} else {
			all = append(all, "-")
		}
		return true
	})
	return strings.Join(all, " "), err
}

func TestXForwardedFor(t *testing.T) {
	for value, want := range map[string]string{
		"192.0.2.1":                             "192.0.2.1",
		"192.0.2.1, 198.51.100.7":               "198.51.100.7 192.0.2.1",
		"192.0.2.1,198.51.100.7\t, 2001:db8::1": "2001:db8::1 198.51.100.7 192.0.2.1",
		"192.0.2.1:51234":                       "192.0.2.1", // as Azure writes it
		"[2001:db8::1]:80":                      "2001:db8::1",
		"[2001:db8::1]":                         "2001:db8::1",
		"::ffff:192.0.2.1":                      "192.0.2.1",
		"fe80::1%eth0":                          "fe80::1",
		"unknown, 192.0.2.1":                    "192.0.2.1 -", // as Squid writes it
		"_hidden":                               "-",
		"":                                      "",
		" , ,192.0.2.1,":                        "192.0.2.1",
	} {
		if got, err := read(XForwardedFor, value); err != nil || got != want {
			t.Errorf("%q: %q, %v; expected %q", value, got, err, want)
		}
	}
	for _, value := range []string{
		"localhost", "192.0.2", "192.0.2.01", "192.0.2.1:", "192.0.2.1:x", "192.0.2.1:123456",
		"[192.0.2.1]", "[2001:db8::1", "2001:db8::1]",
		"[2001:db8::1]80", "192.0.2.1 198.51.100.7", `"192.0.2.1"`, "192.0.2.1;", "\x00", "_",
		"_a b",
	} {
		if got, err := read(XForwardedFor, value); err != ErrXForwardedFor {
			t.Errorf("%q: %q, %v; expected ErrXForwardedFor", value, got, err)
		}
	}
}

// What a client has made up stands in front, and is not looked at once the one that
// matters is known.
func TestXForwardedForIsReadFromItsEnd(t *testing.T) {
	var got netip.Addr
	err := XForwardedFor([]byte("not an address, 192.0.2.1"), func(a netip.Addr) bool {
		got = a
		return false
	})
	if err != nil || got.String() != "192.0.2.1" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestForwarded(t *testing.T) {
	for value, want := range map[string]string{
		"for=192.0.2.1":                                            "192.0.2.1",
		`For="[2001:db8:cafe::17]:4711"`:                           "2001:db8:cafe::17",
		"for=192.0.2.60;proto=http;by=203.0.113.43":                "192.0.2.60",
		"for=192.0.2.43, for=198.51.100.17":                        "198.51.100.17 192.0.2.43",
		"for=192.0.2.43,for=198.51.100.17;by=203.0.113.60;proto=h": "198.51.100.17 192.0.2.43",
		`for=192.0.2.43, for="[2001:db8:cafe::17]"`:                "2001:db8:cafe::17 192.0.2.43",
		"for=_gazonk, for=unknown":                                 "- -",
		`for="_gazonk:_port"`:                                      "-",
		"proto=https":                                              "-",
		// a comma in quotation marks
		`host="a, for=192.0.2.9";for=192.0.2.1`:   "192.0.2.1",
		`host="a\", for=192.0.2.9";for=192.0.2.1`: "192.0.2.1",
		" , for=192.0.2.1 ;proto=http ,":          "192.0.2.1",
		";;for=192.0.2.1;":                        "192.0.2.1",
		"":                                        "",
	} {
		if got, err := read(Forwarded, value); err != nil || got != want {
			t.Errorf("%s: %q, %v; expected %q", value, got, err, want)
		}
	}
	for _, value := range []string{
		"192.0.2.1", "for=", "for", "for=192.0.2.1:80", "for=[2001:db8::1]", `for="2001:db8::1`,
		`for=", for=192.0.2.1`, "for =192.0.2.1",
		"for= 192.0.2.1", "for=192.0.2.1;for=192.0.2.2", `for="192.0.2.1" x`, `for="a\`, "for=name",
		"for=192.0.2.1 for=192.0.2.2", "=a",
	} {
		if got, err := read(Forwarded, value); err != ErrForwarded {
			t.Errorf("%s: %q, %v; expected ErrForwarded", value, got, err)
		}
	}
}

// Whatever a client has put in front, what the last proxy adds is what is read last,
// or nothing is believed.
func FuzzLastHop(f *testing.F) {
	for _, s := range []string{"", "192.0.2.1", "for=192.0.2.1", `for="`, `host="a, b";for=unknown`,
		"garbage", `"\`} {
		f.Add(s)
	}
	want := netip.MustParseAddr("203.0.113.9")
	f.Fuzz(func(t *testing.T, client string) {
		for _, c := range []struct {
			read  func([]byte, func(netip.Addr) bool) error
			added string
		}{{XForwardedFor, ", 203.0.113.9"}, {Forwarded, ", for=203.0.113.9"}} {
			var got netip.Addr
			if err := c.read([]byte(client+c.added),
				func(a netip.Addr) bool { got = a; return false }); err == nil && got != want {
				t.Errorf("%q%s: %v", client, c.added, got)
			}
		}
	})
}
