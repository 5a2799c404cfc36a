package tuning

import "strings"

// left are kernel settings that people change for very many connections and ssedge does not need:
// each with the reason.
var left = []struct {
	names       []string
	why, source string
}{
	{
		[]string{"net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_keepalive_intvl",
			"net.ipv4.tcp_keepalive_probes"},
		"ssedge asks for no keepalive: its heartbeats (--heartbeat 25s) are data, and TCP_USER_TIMEOUT ends connections that acknowledge nothing",
		"man 7 tcp; " + ipSysctl,
	},
	{
		[]string{"net.ipv4.tcp_retries2"},
		"TCP_USER_TIMEOUT (--user-timeout 60s) decides in its place; 15 tries alone would be 924 s",
		"man 7 tcp, TCP_USER_TIMEOUT; " + ipSysctl,
	},
	{
		[]string{"net.ipv4.tcp_fin_timeout"},
		"of connections that the server closed and the client has not: up to 60 s they are kept as small entries, not sockets, and no port is short",
		ipSysctl,
	},
	{
		[]string{"net.ipv4.tcp_notsent_lowat"},
		"each stream has its own: --not-sent-lowat 16384", ipSysctl,
	},
	{
		[]string{"net.ipv4.tcp_congestion_control"},
		"events that fit into the first window of 10 segments (14 KiB) are sent alike by all; larger ones may gain by bbr where packets are lost",
		ipSysctl + "; RFC 6928",
	},
}

// leftAlone are the findings of them.
func (h *Host) leftAlone() []Finding {
	var all []Finding
	for _, s := range left {
		var now []string
		for _, name := range s.names {
			value, err := h.Sysctl(name)
			if err != nil {
				value = "not there"
			}
			now = append(now, value)
		}
		all = append(all, Finding{
			Name: shorten(s.names), Kind: Sysctl, Scope: scope(s.names[0]),
			Now: strings.Join(now, " "), Needed: "any", OK: true, Why: s.why, Source: s.source,
		})
	}
	return all
}

// shorten says names that begin alike in one word: a.b_c, a.b_d become a.b_c, _d.
func shorten(names []string) string {
	out := names[0]
	for _, name := range names[1:] {
		out += ", " + name[strings.LastIndexByte(name, '_'):]
	}
	return out
}
