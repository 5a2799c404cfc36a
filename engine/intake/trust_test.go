package intake

import (
	"net/netip"
	"testing"

	"ssedge/engine/refuse"
)

func TestTheClientOfARequest(t *testing.T) {
	proxies := func(field string, trusted ...string) Proxies {
		p, wrong := NewProxies(trusted, field)
		if len(wrong) > 0 {
			t.Fatal(wrong)
		}
		return p
	}
	xff := proxies(XForwardedFor, "10.0.0.0/8", "2001:db8::1", "::ffff:192.0.2.9", "unix")
	rfc := proxies(Forwarded, "10.0.0.1")
	for _, c := range []struct {
		proxies           Proxies
		peer, value, want string
		refusal           *refuse.Answer
	}{
		{xff, "10.0.0.1", "192.0.2.1", "192.0.2.1", nil},
		{xff, "2001:db8::1", "192.0.2.1", "192.0.2.1", nil},
		{xff, "192.0.2.9", "192.0.2.1", "192.0.2.1", nil},
		{xff, "", "192.0.2.1", "192.0.2.1", nil}, // through a unix socket
		{xff, "10.0.0.1", "", "10.0.0.1", nil},   // the proxy's own: a health check
		{xff, "10.0.0.1", "unknown", "10.0.0.1", nil},
		{xff, "10.0.0.1", "192.0.2.1, 10.0.0.2, 10.0.0.3", "192.0.2.1", nil},
		// the client has written the first itself
		{xff, "10.0.0.1", "192.0.2.66, 192.0.2.1, 10.0.0.2", "192.0.2.1", nil},
		// a client behind the proxies
		{xff, "10.0.0.1", "10.0.0.9, 10.0.0.8", "10.0.0.9", nil},
		{xff, "192.0.2.66", "192.0.2.1", "192.0.2.66", nil}, // no trusted proxy
		{xff, "192.0.2.66", "garbage", "192.0.2.66", nil},
		{xff, "2001:db8::2", "192.0.2.1", "2001:db8::2", nil},
		{xff, "10.0.0.1", "garbage, 192.0.2.1", "192.0.2.1", nil},
		{xff, "10.0.0.1", "garbage", "10.0.0.1", refuseXForwardedFor},
		{xff, "10.0.0.1", "garbage, 10.0.0.2", "10.0.0.1", refuseXForwardedFor},
		{xff, "10.0.0.1", "for=192.0.2.1", "10.0.0.1", refuseXForwardedFor},
		{rfc, "10.0.0.1", "for=192.0.2.1", "192.0.2.1", nil},
		{rfc, "10.0.0.1", `for="[2001:db8::7]:80", for=10.0.0.1`, "2001:db8::7", nil},
		{rfc, "10.0.0.1", `for="_x", for=10.0.0.1`, "10.0.0.1", nil},
		{rfc, "10.0.0.1", `for=", for=192.0.2.1`, "10.0.0.1", refuseForwarded},
		{rfc, "10.0.0.2", "for=192.0.2.1", "10.0.0.2", nil},
		{rfc, "", "for=192.0.2.1", "", nil},
		{Proxies{}, "10.0.0.1", "192.0.2.1", "10.0.0.1", nil},
	} {
		var peer, want netip.Addr
		if c.peer != "" {
			peer = netip.MustParseAddr(c.peer)
		}
		if c.want != "" {
			want = netip.MustParseAddr(c.want)
		}
		if got, refusal := c.proxies.client(peer, []byte(c.value)); got != want ||
			refusal != c.refusal {
			t.Errorf("%q says %q: %v, %v; expected %v, %v", c.peer, c.value, got, refusal, want,
				c.refusal)
		}
	}
}

func TestTrustedProxiesMistakes(t *testing.T) {
	for _, text := range []string{"", "proxy.example", "10.0.0.1/8", "10.0.0.0/33", "10.0.0",
		"fe80::1%eth0", "::ffff:10.0.0.0/104", "unix:", "*",
		"0.0.0.0", "::", "224.0.0.1", "239.1.2.3/32", "224.0.0.0/4", "255.255.255.255",
		"::ffff:224.0.0.1", "ff02::1", "ff00::/8"} {
		if _, wrong := NewProxies([]string{"10.0.0.0/8", text}, XForwardedFor); len(wrong) != 1 {
			t.Errorf("%q: %v", text, wrong)
		}
	}
	if _, wrong := NewProxies([]string{"0.0.0.0/0", "::/0", "192.0.0.0/2", "224.0.0.0/3",
		"240.0.0.1", "255.255.255.254", "fe00::/7"}, XForwardedFor); len(wrong) > 0 {
		// some address in each may be a proxy's
		t.Error(wrong)
	}
	if _, wrong := NewProxies(nil, "x-real-ip"); len(wrong) != 1 {
		t.Error(wrong)
	}
}
