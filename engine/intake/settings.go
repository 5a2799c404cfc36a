package intake

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"ssedge/engine/setting"
	"ssedge/proto/http1"
)

// StreamLimits bound the streams of a node.
type StreamLimits struct {
	StreamsMax      int           `default:"0" range:"0.." metric:"streams_max" help:"Streams held at a time; 0: what the limit on open files leaves."`
	PerAddressMax   int           `default:"0" range:"0.." metric:"streams_per_address_max" help:"Streams of one client address (IPv6: one /64) at this server; 0: no bound."`
	AcceptRate      float64       `default:"0" range:"0 or 0.001..1e9" metric:"accept_rate_max" help:"New streams per second; 0: no bound."`
	TopicsPerStream int           `default:"32" range:"1.." metric:"topics_per_stream_max" help:"Topics of one stream."`
	PollMax         time.Duration `default:"60s" range:"1s..10m" metric:"poll_seconds_max" help:"The longest that a request with poll= may wait for an event."`
	Chunked         bool          `help:"Send streams in chunks (HTTP/1.1): a client can tell a stream that was cut off from one that ended. HAProxy holds chunks back, unless option http-no-delay is set."`
}

// ConnectionLimits bound connections that are no streams (yet), and their requests.
type ConnectionLimits struct {
	http1.Limits
	HeadTimeout        time.Duration `default:"10s" range:"1ms..500h" metric:"head_seconds_max" help:"Time for a request head to be complete."`
	HeadsMax           int           `default:"8192" range:"1.." metric:"connections_max{state=\"head\"}" help:"Connections whose request head is not complete, or that wait for their next request after a poll."`
	HTTPConnectionsMax int           `default:"1024" range:"1.." metric:"connections_max{state=\"http\"}" help:"Connections with other requests than for streams."`
	HTTPIdle           time.Duration `default:"75s" range:"1ms..500h" metric:"http_idle_seconds_max" help:"How long a connection is kept without a request. Proxies usually keep theirs for 60 s: let this be longer."`
	Workers            int           `default:"64" range:"1.." metric:"workers_max" help:"Connections handed over to net/http at a time."`
	Pollers            int           `default:"0" range:"0..128" metric:"-" group:"Cores" help:"Threads that accept; 0: one per two CPUs."`
}

// CORS is which pages may use the server (WHATWG Fetch 3.3).
type CORS struct {
	CORSOrigins []string `name:"cors-origin" help:"Origins whose pages may subscribe and publish; * for all." placeholder:"ORIGIN"`
}

// Check refuses origins that no browser sends.
func (c *CORS) Check(fail setting.Fail) {
	for _, origin := range c.CORSOrigins {
		if origin != "*" && !asBrowsersSend(origin) {
			fail("--cors-origin %s: expected an origin as browsers send it, in small letters, without the usual "+
				"port and without *., names in ASCII: https://example.com or http://localhost:3000; or *",
				origin)
		}
	}
}

// asBrowsersSend reports whether a browser can send an origin: others would never match (WHATWG
// HTML, origin; RFC 6454 6.2). Names are in ASCII there (xn--), and addresses in their shortest
// form (WHATWG URL, host serializing).
func asBrowsersSend(origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != origin {
		return false
	}
	usual := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	host, port := u.Hostname(), u.Port()
	if u.Host != strings.ToLower(u.Host) || strings.ContainsAny(u.Host, "*%") ||
		strings.HasSuffix(u.Host, ":") ||
		strings.Contains(host, "..") || strings.HasPrefix(host, ".") ||
		strings.ContainsFunc(host, func(r rune) bool { return r > unicode.MaxASCII }) {
		return false
	}
	if n, err := strconv.ParseUint(port, 10, 16); port != "" &&
		(port == usual || err != nil || strconv.FormatUint(n, 10) != port) {
		return false
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	if numeric := last != "" && strings.Trim(last, "0123456789") == ""; numeric ||
		strings.Contains(host, ":") {
		ip, err := netip.ParseAddr(host)
		return err == nil && ip.String() == host
	}
	return true
}

// Trust is which proxies are believed when they say the client's address of a request.
type Trust struct {
	TrustedProxies  []string `help:"Proxies that are believed when they say the client's address: addresses, networks, or unix for proxies that connect through a unix socket." placeholder:"NETWORK"`
	ForwardedHeader string   `default:"x-forwarded-for" enum:"x-forwarded-for,forwarded" help:"The field in which they say it: x-forwarded-for, or forwarded (RFC 7239). The address that counts is the last one that is no trusted proxy's."`
}

// Check refuses proxies that are no addresses, and fields that are not read.
func (t *Trust) Check(fail setting.Fail) {
	_, wrong := NewProxies(t.TrustedProxies, t.ForwardedHeader)
	for _, err := range wrong {
		fail("%w", err)
	}
}
