package intake

import (
	"fmt"
	"net/netip"
	"strings"

	"ssedge/proto/forwarded"
	"ssedge/proto/http1"
	"ssedge/proto/proxyproto"
)

// Proxies are those whose word is taken on whom a request comes from. The zero value
// trusts nobody.
type Proxies struct {
	networks []netip.Prefix
	unix     bool // whoever comes through a unix socket
	field    string
}

// Fields in which proxies say whom a request comes from.
const (
	XForwardedFor = "x-forwarded-for"
	Forwarded     = "forwarded" // RFC 7239
)

// NewProxies trusts the networks, addresses and, if it is listed, "unix" of a list.
// field is the one that those proxies write, in lower case; no other is looked at,
// for what a proxy does not write it may pass on from a client. Each error names one
// thing that is wrong.
func NewProxies(trusted []string, field string) (p Proxies, wrong []error) {
	if p.field = field; field != XForwardedFor && field != Forwarded {
		wrong = append(wrong, fmt.Errorf("--forwarded-header %s: expected %s or %s", field, XForwardedFor, Forwarded))
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
		if err != nil || network != network.Masked() || network.Addr().Is4In6() {
			wrong = append(wrong, fmt.Errorf("--trusted-proxies %s: expected an address, a network like 10.0.0.0/8 without bits behind the mask, or unix", text))
			continue
		}
		p.networks = append(p.networks, network)
	}
	return p, wrong
}

// None reports whether nobody is trusted.
func (p *Proxies) None() bool { return len(p.networks) == 0 && !p.unix }

// ForwardedField is the field of a request in which proxies that are trusted say whom
// it comes from.
func (a *Admission) ForwardedField() string { return a.config.Proxies.field }

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

// client is whom a request comes from that a peer has sent, with that value of the
// proxies' field (RFC 9110 5.3: of all such fields, joined). Each proxy adds where it
// got the request from at the end. So that is believed of the peer, if it is trusted,
// and of whom it names, if that is trusted, too; what the first one says that is not,
// the client could have made up. Where a proxy does not say from whom, it is from the
// proxy.
func (p *Proxies) client(peer netip.Addr, value []byte) (netip.Addr, *Refusal) {
	if len(value) == 0 || !p.trust(peer) {
		return peer, nil
	}
	read, refusal := forwarded.XForwardedFor, refuseXForwardedFor
	if p.field == Forwarded {
		read, refusal = forwarded.Forwarded, refuseForwarded
	}
	client := peer
	err := read(value, func(hop netip.Addr) (more bool) {
		if !hop.IsValid() {
			return false
		}
		client = hop
		return p.trust(hop)
	})
	if err != nil {
		return peer, refusal
	}
	return client, nil
}

// suspectProxy warns once of a proxy that nobody has named: all of its clients count as
// one address.
func (in *Intake) suspectProxy(h *http1.Head, remote netip.Addr) {
	for _, field := range []string{XForwardedFor, Forwarded} {
		if _, n := h.Get(field); n > 0 && !in.admission.config.Proxies.trust(remote) {
			in.suspected.Do(func() {
				in.config.Logger.Warn("streams are refused for their address, and their requests say that they come through a proxy: if it is yours, name it with --trusted-proxies",
					"address", remote, "header", field)
			})
		}
	}
}

// preface reads the PROXY protocol header with which a connection from a peer has to
// begin, and returns how long it is, 0 if it is not complete yet, and whom the
// connection comes from.
func (p *Proxies) preface(received []byte, peer netip.Addr) (n int, client netip.Addr, _ *Refusal) {
	if !p.trust(peer) {
		return 0, peer, refuseProxy
	}
	header, n, err := proxyproto.Parse(received)
	if err != nil {
		return 0, peer, &Refusal{Status: refuseProxyHeader.Status, Cause: refuseProxyHeader.Cause, Reason: err.Error()}
	}
	if header.Source.IsValid() {
		peer = header.Source
	}
	return n, peer, nil
}

// ListensForProxies takes the prefix off an address of --listen at which every
// connection begins with a PROXY protocol header.
func ListensForProxies(listen string) (address string, proxies bool) {
	return strings.CutPrefix(listen, "proxy:")
}
