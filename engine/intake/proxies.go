package intake

import (
	"fmt"
	"net/netip"
	"strings"

	"ssedge/engine/refuse"
	"ssedge/proto/forwarded"
	"ssedge/proto/proxyproto"
)

// Proxies are the proxies that are believed when they say the client's address of a
// request. The zero value trusts none.
type Proxies struct {
	networks []netip.Prefix
	unix     bool // peers that come through a unix socket are trusted
	field    string
}

// Fields in which proxies say the client's address of a request.
const (
	XForwardedFor = "x-forwarded-for"
	Forwarded     = "forwarded" // RFC 7239
)

// NewProxies trusts the networks, addresses and, if it is listed, "unix" of a list. field is the
// one that those proxies write, in lower case; no other is looked at, for what a proxy does not
// write it may pass on from a client. Each error names one thing that is wrong.
func NewProxies(trusted []string, field string) (p Proxies, wrong []error) {
	if p.field = field; field != XForwardedFor && field != Forwarded {
		wrong = append(wrong, fmt.Errorf("--forwarded-header %s: expected %s or %s", field,
			XForwardedFor, Forwarded))
	}
	for _, text := range trusted {
		if text == "unix" {
			p.unix = true
			continue
		}
		network, err := netip.ParsePrefix(text)
		if addr, ok := netip.ParseAddr(text); ok == nil && addr.Zone() == "" {
			addr = addr.Unmap()
			network, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil || network != network.Masked() || network.Addr().Is4In6() ||
			neverPeer(network) {
			wrong = append(wrong,
				fmt.Errorf("--trusted-proxies %s: expected an address of one host, a network like 10.0.0.0/8 without bits behind the mask, or unix",
					text))
			continue
		}
		p.networks = append(p.networks, network)
	}
	return p, wrong
}

// neverPeer reports whether no connection can come from a network: its addresses are of none, of
// groups (RFC 5771, RFC 4291 2.7), or of all hosts.
func neverPeer(network netip.Prefix) bool {
	addr := network.Addr()
	// bits that all groups' addresses begin with
	group := map[bool]int{true: 4, false: 8}[addr.Is4()]
	return network.IsSingleIP() &&
		(addr.IsUnspecified() || addr == netip.AddrFrom4([4]byte{255, 255, 255, 255})) ||
		addr.IsMulticast() && network.Bits() >= group
}

// peer is the other end of a connection, or what a PROXY protocol header names as that.
type peer struct {
	addr netip.Addr // the zero Addr: it came through a unix socket
	// unnamed: a PROXY protocol header names no address. Then the fields of requests are not
	// believed: a client may have written them, since a proxy that sends such headers does
	// not look at requests.
	unnamed   bool
	announced bool // a PROXY protocol header came: the kernel does not know all of this
}

// None reports whether no proxy is trusted.
func (p *Proxies) None() bool { return len(p.networks) == 0 && !p.unix }

// trust reports whether a peer is one of the proxies. A peer without an address came
// through a unix socket.
func (p *Proxies) trust(peer netip.Addr) bool {
	if !peer.IsValid() {
		return p.unix
	}
	for _, n := range p.networks {
		if n.Contains(peer) {
			return true
		}
	}
	return false
}

// trustsFields reports whether what a peer's requests say counts.
func (p *Proxies) trustsFields(from peer) bool {
	return !p.None() && !from.unnamed && p.trust(from.addr)
}

// client is the client's address of a request that the peer remote has sent. value is
// that of the proxies' field (RFC 9110 5.3: of all such fields, joined). Each proxy adds
// the address that it got the request from at the end. So the list is read from its end:
// an address is believed if the peer and all addresses behind it are trusted proxies. The
// first that is not a trusted proxy is the client, which could have made up what stands
// in front. If a proxy does not give an address, the proxy counts as the client.
func (p *Proxies) client(remote netip.Addr, value []byte) (netip.Addr, *refuse.Answer) {
	if len(value) == 0 || !p.trust(remote) {
		return remote, nil
	}
	read, refusal := forwarded.XForwardedFor, refuseXForwardedFor
	if p.field == Forwarded {
		read, refusal = forwarded.Forwarded, refuseForwarded
	}
	client := remote
	err := read(value, func(hop netip.Addr) (more bool) {
		if !hop.IsValid() {
			return false
		}
		client = hop
		return p.trust(hop)
	})
	if err != nil {
		return remote, refusal
	}
	return client, nil
}

// preface reads the PROXY protocol header with which a connection from a peer has to begin. It
// returns how long it is, 0 if it is not complete yet, and the peer that the connection comes from.
func (p *Proxies) preface(received []byte, from peer) (n int, client peer, _ *refuse.Answer) {
	if !p.trust(from.addr) {
		return 0, from, refuseProxy
	}
	header, n, err := proxyproto.Parse(received)
	switch {
	case err != nil:
		return 0, from, refuseProxyHeader.WithReason(err)
	case n == 0:
		return 0, from, nil
	case header.Source.IsValid():
		return n, peer{addr: header.Source, announced: true}, nil
	}
	return n, peer{addr: from.addr, unnamed: true, announced: true}, nil
}

// ListensForProxies takes the prefix off an address of --listen at which every
// connection begins with a PROXY protocol header.
func ListensForProxies(listen string) (address string, proxies bool) {
	return strings.CutPrefix(listen, "proxy:")
}
