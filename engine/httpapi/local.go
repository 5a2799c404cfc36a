package httpapi

import (
	"net"
	"net/http"

	"ssedge/engine/intake"
)

// notLocal is the answer to a request under another name than this machine's, where
// only this machine is to be served: a page that has made its own name resolve to
// it (DNS rebinding) would otherwise be one of our own.
var notLocal = causeNotLocal.Say("expected a Host of this machine: localhost, 127.0.0.1 or [::1]")

// localHost reports whether a request names this machine, or came over a unix
// socket, which no page can connect to.
func localHost(r *http.Request) bool {
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok &&
		a.Network() == "unix" {
		return true
	}
	return intake.LocalHost([]byte(r.Host))
}
