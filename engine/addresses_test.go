package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// said is what Check says of addresses; each line has a part of its own.
func saidOf(admin string, listen ...string) string {
	c := DefaultConfig()
	c.Keys, c.Listen, c.Admin, c.TrustedProxies = []string{"k"}, listen, admin, []string{"unix"}
	if err := c.Check(); err != nil {
		return err.Error()
	}
	return ""
}

// TestAddressesThatOverlap are refused however they are written: the second listener could not
// start, or would share the clients. Those that only look alike are not.
func TestAddressesThatOverlap(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		a, b string
		both bool
	}{
		{"0.0.0.0:90", "127.0.0.1:90", true}, {":90", "[::]:90", true}, {":90", "0.0.0.0:90", true},
		{":90", "127.0.0.1:90", true}, {":90", "[::1]:90", true}, {":90", "a.example:90", true},
		{"[::]:90", "0.0.0.0:90", true}, {"[::]:90", "10.0.0.1:90", true},
		{"[::ffff:0.0.0.0]:90", "[::1]:90", true}, {"[::ffff:127.0.0.1]:90", "127.0.0.1:90", true},
		{"[0:0::1]:90", "[::1]:90", true},
		{"localhost:90", "127.0.0.1:90", true}, {"LocalHost.:90", "localhost:90", true},
		{"localhost:90", "0.0.0.0:90", true}, {"A.example:90", "a.example.:90", true},
		{"127.0.0.1:http", "127.0.0.1:80", true}, {"proxy:127.0.0.1:90", "0.0.0.0:90", true},
		{"systemd:a", "proxy:systemd:a", true},
		{"unix:" + dir + "/a", "unix:" + dir + "/../" + filepath.Base(dir) + "/a", true},
		{"unix:" + dir + "/a", "unix:" + link + "//a", true}, {"unix:a", "unix:./a", true},
		{"0.0.0.0:90", "[::1]:90", false}, {"127.0.0.1:90", "[::1]:90", false},
		{"localhost:90", "[::1]:90", false}, {"127.0.0.1:90", "127.0.0.2:90", false},
		{":90", ":91", false},
		{"0.0.0.0:0", "127.0.0.1:0", false}, {"a.example:90", "b.example:90", false},
		{"a.example:90", "127.0.0.1:90", false}, {"systemd:a", "systemd:b", false},
		{"unix:" + dir + "/a", "unix:" + dir + "/A", false},
		{"[fe80::1%a]:90", "[fe80::1%b]:90", false},
	} {
		want := "--listen, --admin: expected each address once, found "
		for _, said := range []string{saidOf("", c.a, c.b), saidOf("", c.b, c.a)} {
			if c.both != strings.HasPrefix(said, want) || !c.both && said != "" ||
				strings.Contains(said, "\n") {
				t.Errorf("%s and %s: found %q", c.a, c.b, said)
			}
		}
	}
	if said := saidOf("127.0.0.1:90", "0.0.0.0:90"); !strings.Contains(said,
		"found 127.0.0.1:90 and 0.0.0.0:90, which overlap") {
		t.Errorf("found %q", said)
	}
	if said := saidOf("", ":90", "127.0.0.1:90", "[::1]:90"); strings.Count(said, "\n") != 1 {
		t.Errorf("found %q, expected a line for each that is too many", said)
	}
}

// TestAddressesThatCannotWork: no socket could listen there, or no client could connect.
func TestAddressesThatCannotWork(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for address, says := range map[string]string{
		" 127.0.0.1:90": "without blanks", "127.0.0.1:90 ": "without blanks",
		"127.0.0.1 :90": "without blanks", "127.0.0.1:\t90": "without blanks",
		"proxy: 127.0.0.1:90": "without blanks", "127.0.0.1\u00a0:90": "without blanks",
		"127.1:90": "a host's name or address", "256.0.0.1:90": "a host's name",
		"127.0.0.08:90": "a host's name", "a.0x7F:90": "a host's name", "0x:90": "a host's name",
		"*:90": "nothing for all", "a..b:90": "a host's name", "ä.example:90": "a host's name",
		"a/b:90":       "a host's name",
		"224.0.0.1:90": "an address of one host", "[ff02::1]:90": "an address of one host",
		"255.255.255.255:90":    "an address of one host",
		"[::ffff:224.0.0.1]:90": "an address of one host",
		"unix:" + file + "/a":   file + " is none", "unix:" + file + "/a/b": "a part of",
		"unix:" + dir: "something else", "unix:" + file: "something else",
		"unix:" + dir + "/": "something else", "unix:@abstract": "unix:/path",
	} {
		for _, flag := range []string{"--listen", "--admin"} {
			said := saidOf("", address)
			if flag == "--admin" {
				if strings.HasPrefix(address, "unix:") || strings.HasPrefix(address, "proxy:") {
					continue
				}
				said = saidOf(address, "127.0.0.1:0")
			}
			if !strings.HasPrefix(said, flag+" ") || !strings.Contains(said, says) ||
				strings.Contains(said, "\n") {
				t.Errorf("%s %q: found %q, expected %q", flag, address, said, says)
			}
		}
	}
	for _, address := range []string{"a-1.example_2:90", "edge:90", "example.com.:90",
		"4.example:90", "240.0.0.1:90", "[fe80::1%eth0]:90", "unix:" + dir + "/with a blank",
		"unix:relative"} {
		if said := saidOf("", address); said != "" {
			t.Errorf("%s: found %q", address, said)
		}
	}
}
