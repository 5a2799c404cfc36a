package intake

import (
	"slices"

	"ssedge/engine/refuse"
)

// warnOfProxy warns once, when a stream is refused for its address, of a proxy that is
// not trusted: all of its clients count as one. has says which fields its request has.
func (in *Intake) warnOfProxy(from peer, refusal *refuse.Answer, has func(field string) bool) {
	if refusal != refuseAddress || in.admission.config.Proxies.trustsFields(from) {
		return
	}
	for _, field := range []string{XForwardedFor, Forwarded} {
		if has(field) {
			in.suspected.Do(func() {
				in.config.Logger.Warn("streams are refused because of their address, and their requests have the fields of a proxy: if it is yours, name it with --trusted-proxies",
					"address", from.addr, "header", field)
			})
		}
	}
}

// warnOfUnixSocket warns of streams that no limit by address can bound.
func (in *Intake) warnOfUnixSocket() {
	c := &in.admission.config
	if c.PerAddressMax > 0 && !c.Proxies.unix &&
		slices.ContainsFunc(in.acceptors, func(a *acceptor) bool {
			return a.addr.Network() == "unix"
		}) {
		in.config.Logger.Warn("streams that come through a unix socket have no address, and are not bounded by one, unless a trusted proxy says the client's address: --trusted-proxies=unix",
			"per_address_max", c.PerAddressMax)
	}
}
