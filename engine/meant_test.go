package engine

import (
	"math"
	"strings"
	"testing"
	"time"
)

// TestValuesThatCannotBeMeant are refused with the setting's name: they would be cut down, be
// rounded to nothing, or never match.
func TestValuesThatCannotBeMeant(t *testing.T) {
	valid := func() Config {
		c := DefaultConfig()
		c.Keys = []string{"k"}
		return c
	}
	plain := valid()
	if err := plain.Check(); err != nil {
		t.Fatal(err)
	}
	const huge = math.MaxInt
	for _, one := range []struct {
		flag string
		set  func(*Config)
	}{
		{"--per-address-max", func(c *Config) { c.PerAddressMax = 1 << 32 }},
		{"--headers-max", func(c *Config) { c.HeadersMax = huge }},
		{"--heads-max", func(c *Config) { c.HeadsMax = huge }},
		{"--workers", func(c *Config) { c.Workers = huge }},
		{"--inbox-max", func(c *Config) { c.InboxMax = huge }},
		{"--topics-max", func(c *Config) { c.TopicsMax = huge }},
		{"--keys-max", func(c *Config) { c.KeysMax = huge }},
		{"--history-events", func(c *Config) { c.HistoryEvents = huge }},
		{"--turn-sends", func(c *Config) { c.TurnSends = huge }},
		{"--redis-catch-up-rate", func(c *Config) { c.Redis.CatchUpRate = huge }},
		{"--send-buffer", func(c *Config) { c.SendBuffer = 5 << 30 }},
		{"--not-sent-lowat", func(c *Config) { c.NotSentLowat = 5 << 30 }},
		{"--body-bytes", func(c *Config) { c.BodyBytes = math.MaxInt64 }},
		{"--key-bytes", func(c *Config) { c.Rule.KeyBytes = huge }},
		{"--topic-bytes", func(c *Config) { c.Rule.TopicBytes = huge }},
		{"--retry", func(c *Config) { c.Retry = 1500 * time.Microsecond }},
		{"--retry-jitter", func(c *Config) { c.RetryJitter = 1 }},
		{"--heartbeat", func(c *Config) { c.Heartbeat = 1500 * time.Microsecond }},
		{"--user-timeout", func(c *Config) { c.UserTimeout = 500 * time.Microsecond }},
		{"--lifetime", func(c *Config) { c.Heartbeat, c.Lifetime = 0, 1 }},
		{"--write-stall", func(c *Config) { c.WriteStall = 1 }},
		{"--head-timeout", func(c *Config) { c.HeadTimeout = 1 }},
		{"--body-timeout", func(c *Config) { c.BodyTimeout = 1 }},
		{"--http-idle", func(c *Config) { c.HTTPIdle = 1 }},
		{"--history-age", func(c *Config) { c.HistoryAge = 1 }},
		{"--key-ttl", func(c *Config) { c.KeyTTL = 1 }},
		{"--key-ttl", func(c *Config) { c.KeyTTL = 1500 * time.Microsecond }},
		{"--redis-ttl", func(c *Config) { c.Redis.TTL = time.Hour + 1500*time.Millisecond }},
		{"--key-ttl", func(c *Config) {
			c.Redis.URL, c.KeyTTL = "redis://h", 1500*time.Millisecond
		}},
		{"--drain-rate", func(c *Config) { c.DrainRate = 1e-300 }},
		{"--drain-rate", func(c *Config) { c.DrainRate = 1e300 }},
		{"--accept-rate", func(c *Config) { c.AcceptRate = 1e-9 }},
		{"each address once", func(c *Config) {
			c.Listen = []string{"127.0.0.1:80", "127.0.0.1:80"}
		}}, {"each address once", func(c *Config) {
			c.Listen, c.Admin = []string{"127.0.0.1:80"}, "127.0.0.1:80"
		}},
		{"each address once", func(c *Config) {
			c.Listen, c.TrustedProxies = []string{"127.0.0.1:80", "proxy:127.0.0.1:80"},
				[]string{"10.0.0.1"}
		}},
		{"--listen 127.0.0.1:08080", func(c *Config) { c.Listen = []string{"127.0.0.1:08080"} }},
		{"--listen unix: /x", func(c *Config) { c.Listen = []string{"unix: /x"} }},
		{"--trusted-proxies 0.0.0.0", func(c *Config) { c.TrustedProxies = []string{"0.0.0.0"} }},
		{"--trusted-proxies ::", func(c *Config) { c.TrustedProxies = []string{"::"} }},
		{"--drain-delay", func(c *Config) { c.DrainDelay = 1 }},
		{"--drain-timeout", func(c *Config) { c.DrainTimeout = time.Millisecond - 1 }},
		{"--turn-time", func(c *Config) { c.TurnTime = time.Second + 1 }},
		{"--headers-max", func(c *Config) { c.HeadersMax = 7 }},
		{"--edge", func(c *Config) { c.Edge = "a\nb" }},
		{"--edge", func(c *Config) { c.Edge = "a\x00" }},
		{"--edge", func(c *Config) { c.Edge = "a\u00a0b" }},
		{"--key: key 2", func(c *Config) {
			c.Keys = []string{"k", strings.Repeat("k", c.HeadBytes-80)}
		}}, {"--key: key 1", func(c *Config) { c.Keys = []string{""} }},
		{"--anonymous: topic", func(c *Config) { c.Anonymous = []string{"a*b"} }},
		{"--redis", func(c *Config) { c.Redis.URL = "redis://h " }},
		{"--redis", func(c *Config) { c.Redis.URL = "redis+cluster://h, i" }},
		{"Bearer", func(c *Config) { c.Keys = []string{"bearer k"} }},
		{"control", func(c *Config) { c.Keys = []string{"a\tb"} }},
	} {
		c := valid()
		one.set(&c)
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), one.flag) ||
			strings.Count(err.Error(), "\n") > 1 {
			t.Errorf("%s: found %v", one.flag, err)
		}
	}
	for _, origin := range []string{"http://a.com:99999", "http://a.com:080", "http://a.com:0x50",
		"http://ä.de", "http://[0:0::1]", "http://a..b", "http://127.1", "http://256.1.1.1",
		"http://1.2.3.04", "http://.a", "http://a%20b"} {
		c := valid()
		c.CORSOrigins = []string{origin}
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), "--cors-origin "+origin) {
			t.Errorf("%s: found %v", origin, err)
		}
	}
	for _, origin := range []string{"http://a.com:8080", "https://xn--4ca.de", "http://[::1]:3000",
		"http://127.0.0.1", "http://localhost:3000", "capacitor://localhost", "http://a-1.b2.c",
		"http://4.example"} {
		c := valid()
		c.CORSOrigins = []string{origin}
		if err := c.Check(); err != nil {
			t.Errorf("%s: found %v", origin, err)
		}
	}
	c := valid() // what is odd, and may be meant
	c.Listen, c.Admin = []string{"127.0.0.1:0", "127.0.0.1:0"}, "127.0.0.1:0"
	c.Retry, c.HistoryAge, c.KeyTTL, c.UserTimeout, c.Lifetime, c.AcceptRate = time.Millisecond,
		time.Millisecond, 500*time.Hour, 0, 0, 0
	c.HeadersMax, c.DrainDelay, c.DrainTimeout, c.TurnTime = 8, 0, time.Millisecond, time.Second
	c.SendBuffer, c.Keys, c.TrustedProxies = 1,
		[]string{"a b", "é", "a==", strings.Repeat("k", c.HeadBytes-200)},
		[]string{"0.0.0.0/0", "::/0"}
	if err := c.Check(); err != nil {
		t.Error(err)
	}
}
