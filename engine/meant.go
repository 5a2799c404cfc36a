package engine

import (
	"math"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Bounds beyond which a number would be cut down on its way, or means nothing that could be meant.
const (
	countMax      = 1<<31 - 1 // of things that are counted in 32 bits, or have room reserved
	socketBytes   = 1 << 30   // of options of a socket: the kernel takes 31 bits
	rateMin       = 0.001
	rateMax       = 1e9
	durationLeast = time.Millisecond
)

// checkMeant refuses values that would silently be taken for others: cut down to the bits or the unit that they are kept in, or
// rounded to nothing.
func (c *Config) checkMeant(fail failure) {
	for _, n := range []struct {
		flag        string
		value, most int64
	}{
		{"streams-max", int64(c.StreamsMax), countMax}, {"per-address-max", int64(c.PerAddressMax), countMax}, {"topics-per-stream", int64(c.TopicsPerStream), countMax},
		{"headers-max", int64(c.HeadersMax), countMax}, {"heads-max", int64(c.HeadsMax), countMax}, {"http-connections-max", int64(c.HTTPConnectionsMax), countMax},
		{"workers", int64(c.Workers), countMax}, {"inbox-max", int64(c.InboxMax), countMax}, {"topics-max", int64(c.TopicsMax), countMax}, {"keys-max", int64(c.KeysMax), countMax},
		{"history-events", int64(c.HistoryEvents), countMax}, {"turn-sends", int64(c.TurnSends), countMax}, {"redis-catch-up-rate", int64(c.RedisCatchUpRate), countMax}, {"redis-read-rate", int64(c.RedisReadRate), countMax},
		{"send-buffer", int64(c.SendBuffer), socketBytes}, {"not-sent-lowat", int64(c.NotSentLowat), socketBytes},
		{"topic-bytes", int64(c.TopicBytes), headBytesMax}, {"key-bytes", int64(c.KeyBytes), EventBytesMax},
	} {
		if n.value > n.most {
			fail("--%s %d: expected at most %d", n.flag, n.value, n.most)
		}
	}
	keyUnit := time.Millisecond
	if c.Redis != "" { // which keeps it in seconds
		keyUnit = time.Second
	}
	for _, d := range []struct {
		flag  string
		value time.Duration
		unit  time.Duration // in which it is kept or told
	}{
		{"retry", c.Retry, time.Millisecond}, {"retry-jitter", c.RetryJitter, time.Millisecond}, {"heartbeat", c.Heartbeat, time.Millisecond},
		{"user-timeout", c.UserTimeout, time.Millisecond}, {"history-age", c.HistoryAge, time.Millisecond}, {"redis-ttl", c.RedisTTL, time.Second},
		{"key-ttl", c.KeyTTL, keyUnit}, {"lifetime", c.Lifetime, 1}, {"write-stall", c.WriteStall, 1}, {"head-timeout", c.HeadTimeout, 1},
		{"body-timeout", c.BodyTimeout, 1}, {"http-idle", c.HTTPIdle, 1},
		{"drain-delay", c.DrainDelay, 1}, {"drain-timeout", c.DrainTimeout, 1},
	} {
		switch {
		case d.value > 0 && d.value < durationLeast && !(d.flag == "retry" || d.flag == "heartbeat"): // these say it themselves
			fail("--%s %v: expected %v or more", d.flag, d.value, durationLeast)
		case d.value > durationLeast && d.value%d.unit != 0:
			fail("--%s %v: expected whole %s", d.flag, d.value, map[time.Duration]string{time.Millisecond: "milliseconds", time.Second: "seconds"}[d.unit])
		}
	}
	for _, r := range []struct {
		flag  string
		value float64
	}{{"drain-rate", c.DrainRate}, {"accept-rate", c.AcceptRate}} {
		if r.value > 0 && !math.IsInf(r.value, 0) && (r.value < rateMin || r.value > rateMax) { // of those that are no numbers it is said already
			fail("--%s %v: expected %v to %d a second", r.flag, r.value, rateMin, int(rateMax))
		}
	}
	c.checkTwice(fail)
}

// asBrowsersSend reports whether an origin is one that a browser can send: others would never match (WHATWG HTML, origin; RFC 6454 6.2).
// Names are in ASCII there (xn--), and addresses in their shortest form (WHATWG URL, host serializing).
func asBrowsersSend(u *url.URL) bool {
	usual := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	host, port := u.Hostname(), u.Port()
	if u.Host != strings.ToLower(u.Host) || strings.ContainsAny(u.Host, "*%") || strings.HasSuffix(u.Host, ":") || strings.Contains(host, "..") || strings.HasPrefix(host, ".") ||
		strings.ContainsFunc(host, func(r rune) bool { return r > unicode.MaxASCII }) {
		return false
	}
	if n, err := strconv.ParseUint(port, 10, 16); port != "" && (port == usual || err != nil || strconv.FormatUint(n, 10) != port) {
		return false
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	if numeric := last != "" && strings.Trim(last, "0123456789") == ""; numeric || strings.Contains(host, ":") {
		ip, err := netip.ParseAddr(host)
		return err == nil && ip.String() == host
	}
	return true
}
