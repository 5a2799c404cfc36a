package engine_test

import (
	"fmt"
	"math"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ssedge/engine"
	"ssedge/engine/setting"
	"ssedge/proto/eventid"
	"ssedge/proto/sse"
)

func openFilesMax(t *testing.T) int {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	return int(min(limit.Cur, 1<<31))
}

// keyed is a configuration that is in order and has a key.
func keyed() engine.Config {
	c := engine.DefaultConfig()
	c.Keys = []string{"secret"}
	return c
}

// complaints are the lines of an error.
func complaints(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}

// TestRelationsBetweenSettings sets each relation to its bound, which is in order,
// and one beyond, which is said in one line with the settings and both numbers.
func TestRelationsBetweenSettings(t *testing.T) {
	other := 192 + engine.DefaultConfig().HTTPConnectionsMax // reserved, and requests
	room := openFilesMax(t) - other
	type set = func(c *engine.Config, beyond int)
	for name, r := range map[string]struct {
		set  set
		says []string
	}{
		"TargetInHead": {
			func(c *engine.Config, n int) {
				c.TopicsPerStream, c.HeadBytes, c.TargetBytes = 1, 1000, 1000+n
			},
			[]string{"--target-bytes 1001", "--head-bytes 1000"}},
		"TopicInTarget": {
			// "/events?topic=", three bytes of the target for each of its own, and an id
			func(c *engine.Config, n int) { c.TargetBytes, c.Rule.TopicBytes = 14+3*100+61, 100+n },
			[]string{"--topic-bytes 101", "--target-bytes 375", "at least 378"}},
		"IDInHead": {
			func(c *engine.Config, n int) {
				c.HeadBytes, c.TopicsPerStream = 2*(29+100*28), 100+n
				c.TargetBytes = 1000
			},
			[]string{"--topics-per-stream 101", "--head-bytes 5658", "up to 2857",
				"at least 5714"}},
		"EventInHistory": {
			func(c *engine.Config, n int) {
				c.Rule.EventBytes, c.HistoryBytes = 1000,
					int64(sse.WireBytesMax(1000, eventid.MaxPositionBytes)-n)
			},
			[]string{"--event-bytes 1000", "--history-bytes 6", "up to 6"}},
		"WindowInAll": {
			func(c *engine.Config, n int) {
				c.Rule.EventBytes, c.HistoryBytes, c.HistoryMax = 100, 1000, 256<<10-int64(n)
			},
			[]string{"--history-max 262143", "--history-bytes 1000", "65536", "at least 262144"}},
		"HistoryInAll": {
			func(c *engine.Config, n int) {
				c.Rule.EventBytes, c.HistoryMax, c.HistoryBytes = 1000, 2<<20+128<<10,
					1<<20+int64(n)
			},
			[]string{"--history-bytes 1048577", "--history-max 2228224", "at most 1048576"}},
		"EventInBody": {
			func(c *engine.Config, n int) { c.BodyBytes, c.Rule.EventBytes = 1000, 1000+n },
			[]string{"--event-bytes 1001", "--body-bytes 1000"}},
		"HistoryInMemory": {
			func(c *engine.Config, n int) { c.MemoryMax, c.HistoryMax = 64<<20, 64<<20+int64(n) },
			[]string{"--history-max 67108865", "--memory-max 67108864: expected"}},
		"MemoryForTheDefault": {
			func(c *engine.Config, n int) { c.MemoryMax = c.HistoryMax - int64(n) },
			[]string{"--memory-max 268435455: expected", "--history-max 268435456 (the default)"}},
		"TargetInTheDefault": {
			func(c *engine.Config, n int) { c.TargetBytes = c.HeadBytes + n },
			[]string{"--target-bytes 16385 does", "--head-bytes 16384 (the default)"}},
		"RetryAndJitter": {
			func(c *engine.Config, n int) {
				c.Retry = 300 * time.Hour
				c.RetryJitter = (1<<31-1+time.Duration(n))*time.Millisecond - c.Retry
			},
			[]string{"--retry 300h0m0s", "--retry-jitter 296h31m23.648s", "596h31m23.647s"}},
		"HeartbeatInLifetime": {
			func(c *engine.Config, n int) {
				c.Lifetime, c.Heartbeat = time.Minute, time.Minute+time.Duration(n)*time.Second
			},
			[]string{"--heartbeat 1m1s", "--lifetime 1m0s"}},
		"StreamsInFiles": {
			func(c *engine.Config, n int) { c.StreamsMax = room + n },
			[]string{fmt.Sprint("--streams-max ", room+1),
				fmt.Sprint("RLIMIT_NOFILE is ", room+other), fmt.Sprint("needs ", room+1+other)}},
		"RequestsInFiles": {
			func(c *engine.Config, n int) { c.HTTPConnectionsMax = openFilesMax(t) - 192 - 1 + n },
			[]string{fmt.Sprint("--http-connections-max ", openFilesMax(t)-192),
				fmt.Sprint("RLIMIT_NOFILE is ", openFilesMax(t))}},
	} {
		t.Run(name, func(t *testing.T) {
			c := keyed()
			r.set(&c, 0)
			if err := c.Check(); err != nil {
				t.Errorf("at the bound: %v", err)
			}
			c = keyed()
			r.set(&c, 1)
			said := complaints(c.Check())
			if len(said) != 1 {
				t.Fatalf("beyond the bound: found %q, expected one line", said)
			}
			for _, want := range r.says {
				if !strings.Contains(said[0], want) {
					t.Errorf("found %q, expected %q in it", said[0], want)
				}
			}
		})
	}
}

func TestHistoryAgainstTheMemoryLimit(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(100 << 20))
	c := keyed()
	c.HistoryMax = 50 << 20
	if err := c.Check(); err != nil {
		t.Errorf("half of the memory limit: %v", err)
	}
	c.HistoryMax++
	if said := complaints(c.Check()); len(said) != 1 || !strings.Contains(said[0], "52428801") ||
		!strings.Contains(said[0], "104857600") {
		t.Errorf("more than half: found %q, expected both numbers", said)
	}
}

// TestStreamsMaxIsWhatFilesLeave when it is not set.
func TestStreamsMaxIsWhatFilesLeave(t *testing.T) {
	c := keyed()
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	if sum := c.StreamsMax + c.HTTPConnectionsMax + 192; sum != openFilesMax(t) {
		t.Errorf("streams, requests and the reserve are %d, the limit on open files %d", sum,
			openFilesMax(t))
	}
}

// TestEveryNumberHasABound: -1 is refused for every numeric setting, in a line
// that names its flag and the value.
func TestEveryNumberHasABound(t *testing.T) {
	for i, o := range setting.All(&engine.Config{}) {
		c := keyed()
		v := setting.All(&c)[i].Value
		switch {
		case v.CanInt():
			v.SetInt(-1)
		case v.CanFloat():
			v.SetFloat(-1)
		default:
			continue
		}
		said := fmt.Sprintf("-%s %v", o.Flag, v.Interface())
		err := c.Check()
		if err == nil || !strings.Contains(err.Error(), said+":") &&
			!strings.Contains(err.Error(), said+" ") {
			t.Errorf("%s: found %v, expected a line with %s", o.Path, err, said)
		}
	}
}

// TestAccessMustBeDecided before anything is opened to anyone.
func TestAccessMustBeDecided(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*engine.Config)
		says   string // "": in order
	}{
		"NoKey": {func(c *engine.Config) { c.Keys = nil },
			"--key: expected at least one"},
		"OnlyAnonymous": {func(c *engine.Config) {
			c.Keys, c.Anonymous = nil, []string{"public/*"}
		}, "--key: expected at least one"},
		"KeyAndAnonymous": {func(c *engine.Config) { c.Anonymous = []string{"public/*"} }, ""},
		"BlankKey":        {func(c *engine.Config) { c.Keys = []string{"good", " "} }, "key 2"},
		"StarInTheMiddle": {func(c *engine.Config) { c.Anonymous = []string{"a*b"} }, `"a*b"`},
		"Dev":             {func(c *engine.Config) { c.Dev, c.Keys = true, nil }, ""},
		"DevOnIPv6AndUnix": {func(c *engine.Config) {
			c.Dev, c.Keys, c.Listen = true, nil, []string{"[::1]:0", "localhost:0", "unix:/x"}
		}, ""},
		"DevForEverybody": {func(c *engine.Config) {
			c.Dev, c.Keys, c.Listen = true, nil, []string{"0.0.0.0:8080"}
		}, "--listen 0.0.0.0:8080: --dev"},
		"DevOnAllAddresses": {func(c *engine.Config) {
			c.Dev, c.Keys, c.Listen = true, nil, []string{":8080"}
		}, "--listen :8080: --dev"},
		"DevOnAHostName": {func(c *engine.Config) {
			c.Dev, c.Keys, c.Listen = true, nil, []string{"example.org:80"}
		}, "--listen example.org:80: --dev"},
		"DevAdminForAll": {func(c *engine.Config) {
			c.Dev, c.Keys, c.Admin = true, nil, "10.0.0.1:8081"
		}, "--admin 10.0.0.1:8081: --dev"},
		"DevWithKey": {func(c *engine.Config) { c.Dev = true }, "--dev"},
		"NoListener": {func(c *engine.Config) { c.Listen = nil },
			"--listen: expected at least one"},
		"ProxyListener": {func(c *engine.Config) {
			c.Listen, c.TrustedProxies = []string{"proxy:127.0.0.1:0", "proxy:unix:/x",
				"proxy:systemd:web"}, []string{"10.0.0.0/8", "::1", "unix"}
		}, ""},
		"NobodyMayProxy": {func(c *engine.Config) { c.Listen = []string{"proxy:127.0.0.1:0"} },
			"--listen proxy:127.0.0.1:0: expected --trusted-proxies"},
		"ProxyListenerNoHost": {func(c *engine.Config) {
			c.Listen, c.TrustedProxies = []string{"proxy:8080"}, []string{"unix"}
		}, "--listen proxy:8080: expected host:port"},
		"ProxyTwice": {func(c *engine.Config) {
			c.Listen, c.TrustedProxies = []string{"proxy:proxy:127.0.0.1:1"}, []string{"unix"}
		}, "proxy:proxy:127.0.0.1:1: expected host:port"},
		"AdminForProxies": {func(c *engine.Config) {
			c.Admin, c.TrustedProxies = "proxy:127.0.0.1:0", []string{"unix"}
		}, "--admin proxy:127.0.0.1:0: expected host:port"},
		"BadProxies": {func(c *engine.Config) {
			c.TrustedProxies = []string{"10.0.0.1/8"}
		}, "--trusted-proxies 10.0.0.1/8: expected an address"},
		"BadForwardedHeader": {func(c *engine.Config) { c.ForwardedHeader = "x-real-ip" },
			"--forwarded-header x-real-ip: expected x-forwarded-for or forwarded"},
		"NoSuchPort": {func(c *engine.Config) {
			c.Listen = []string{"127.0.0.1:65536"}
		}, "--listen 127.0.0.1:65536: expected a port"},
		"HighestPort": {func(c *engine.Config) {
			c.Listen = []string{"127.0.0.1:65535"}
		}, ""},
		"OriginWithoutScheme": {func(c *engine.Config) {
			c.CORSOrigins = []string{"*", "example.com"}
		}, "--cors-origin example.com: expected"},
		"OriginInCapitals": {func(c *engine.Config) {
			c.CORSOrigins = []string{"https://Example.com"}
		}, "--cors-origin https://Example.com: expected"},
		"OriginWithItsUsualPort": {func(c *engine.Config) {
			c.CORSOrigins = []string{"https://example.com:443"}
		}, "--cors-origin https://example.com:443: expected"},
		"OriginWithAStar": {func(c *engine.Config) {
			c.CORSOrigins = []string{"https://*.example.com"}
		}, "--cors-origin https://*.example.com: expected"},
		"BlankBehindAComma": {func(c *engine.Config) {
			c.Anonymous = []string{"public/*", " news"}
		}, `--anonymous " news": expected no blanks`},
		"OriginWithPath": {func(c *engine.Config) {
			c.CORSOrigins = []string{"https://example.com/"}
		}, "--cors-origin https://example.com/"},
		"Origins": {func(c *engine.Config) {
			c.CORSOrigins = []string{"https://example.com", "http://[::1]:3000"}
		}, ""},
		"DrainWithoutEnd": {func(c *engine.Config) { c.DrainRate = math.Inf(1) },
			"--drain-rate +Inf: expected"},
		"HeartbeatBelowAMillisecond": {func(c *engine.Config) {
			c.Heartbeat = time.Millisecond - 1
		}, "--heartbeat 999.999µs: expected 0, or 1ms to 500h"},
		"HeartbeatPastClocks": {func(c *engine.Config) {
			c.Heartbeat = 500*time.Hour + time.Millisecond
		}, "--heartbeat 500h0m0.001s: expected 0, or 1ms to 500h"},
		"LongestDurations": {func(c *engine.Config) {
			c.Heartbeat, c.WriteStall, c.UserTimeout = 500*time.Hour, 500*time.Hour, 500*time.Hour
		}, ""},
		"LongestEvent": {func(c *engine.Config) {
			c.Rule.EventBytes, c.BodyBytes, c.PublishBytes, c.HistoryBytes, c.HistoryMax = 512<<20,
				512<<20, 10<<30, 4<<30, 9<<30
		}, ""},
		"EventsPastOffsets": {func(c *engine.Config) {
			c.Rule.EventBytes, c.BodyBytes, c.PublishBytes, c.HistoryBytes, c.HistoryMax = 512<<20+
				1, 512<<20, 10<<30, 4<<30, 9<<30
		}, "--event-bytes 536870913: expected 1 to 512MiB"},
		"EventsPastAll": {func(c *engine.Config) { c.Rule.EventBytes = math.MaxInt },
			"--event-bytes 9223372036854775807: expected 1 to 512MiB"},
		"HeadsPastOffsets": {func(c *engine.Config) { c.HeadBytes = 1<<20 + 1 },
			"--head-bytes 1048577: expected 256 to 1MiB"},
		"NoPort": {func(c *engine.Config) { c.Listen = []string{"127.0.0.1"} },
			"--listen 127.0.0.1: expected host:port"},
		"LongSocketPath": {func(c *engine.Config) {
			c.Listen = []string{"unix:/" + strings.Repeat("x", 107)}
		}, "107 bytes"},
		"LongestSocketPath": {func(c *engine.Config) {
			c.Listen = []string{"unix:/" + strings.Repeat("x", 106)}
		}, ""},
		"AdminOnAUnixSocket": {func(c *engine.Config) { c.Admin = "unix:/x" }, "--admin unix:/x"},
		"SocketsOfSystemd": {func(c *engine.Config) {
			c.Listen = []string{"systemd:public", "systemd:ssedge.socket"}
		}, ""},
		"SocketsWithoutName": {func(c *engine.Config) { c.Listen = []string{"systemd:"} },
			"--listen systemd:: expected the FileDescriptorName="},
		"SocketsOfTwoNames": {func(c *engine.Config) { c.Listen = []string{"systemd:a:b"} },
			"--listen systemd:a:b: expected"},
		"AdminOfSystemd": {func(c *engine.Config) { c.Admin = "systemd:admin" },
			"--admin systemd:admin: expected host:port"},
		"UnknownPolicy": {func(c *engine.Config) { c.SlowPolicy = "drop" },
			"--slow-policy drop: expected gap, close or latest"},
		"UnknownTopicPolicy": {func(c *engine.Config) {
			c.TopicPolicies = map[string]string{"a/*": "drop"}
		}, "--topic-policy a/*=drop: expected gap, close or latest"},
		"TooManyShards": {func(c *engine.Config) { c.Shards = 65 },
			"--shards 65: expected 0 to 64"},
		"TooManyPollers": {func(c *engine.Config) { c.Pollers = 129 },
			"--pollers 129: expected 0 to 128"},
		"AsManyShardsAsFit": {func(c *engine.Config) { c.Shards, c.Pollers = 64, 128 }, ""},
		"PolicyForOneTopic": {func(c *engine.Config) {
			c.TopicPolicies = map[string]string{"a": "latest"}
		}, ""},
		"NoAdminListener": {func(c *engine.Config) { c.Admin = "" }, ""},
		"AdminWithoutAPort": {func(c *engine.Config) { c.Admin = "127.0.0.1" },
			"--admin 127.0.0.1: expected host:port"},
		"HeartbeatsOff": {func(c *engine.Config) { c.Heartbeat, c.Lifetime = 0, time.Second },
			""},
		"PatternOfThePolicys": {func(c *engine.Config) {
			c.TopicPolicies = map[string]string{"*a": "latest"}
		}, "--topic-policy"},
	} {
		config := keyed()
		c.change(&config)
		said := complaints(config.Check())
		if c.says == "" {
			if len(said) > 0 {
				t.Errorf("%s: found %q, expected none", name, said)
			}
		} else if len(said) != 1 || !strings.Contains(said[0], c.says) {
			t.Errorf("%s: found %q, expected one line with %q", name, said, c.says)
		}
	}
}

// TestPatternsAreHeldToTheRuleForNames: a pattern that can match no topic is refused in the rule's
// words.
func TestPatternsAreHeldToTheRuleForNames(t *testing.T) {
	long := strings.Repeat("x", 256)
	const words = `expected a topic name of at most 256 bytes of UTF-8 (--topic-bytes), not empty, without control characters, not beginning with "$", found `
	for _, c := range []struct{ pattern, found string }{
		{"*", ""}, {"a", ""}, {"a$*", ""}, {"caf\u00e9*", ""}, {"\u00a0*", ""}, {long, ""},
		{long + "*", ""},
		{"caf\xe9*", `"caf\xe9"`}, {"caf\xe9", `"caf\xe9"`}, {"\u00e9"[:1] + "*", `"\xc3"`},
		{"$sys", `"$sys"`}, {"$x", `"$x"`}, {"$*", `"$"`}, {"$sys/*", `"$sys/"`},
		{"\x01", `"\x01"`}, {"a\x01*", `"a\x01"`}, {"a\n*", `"a\n"`}, {"a\x7f", `"a\x7f"`},
		{"a\u0085*", `"a\u0085"`}, {"\u009f", `"\u009f"`},
		{long + "x", `… (257 bytes)`}, {long + long + "*", `… (512 bytes)`},
	} {
		for flag, set := range map[string]func(*engine.Config){
			"--anonymous": func(e *engine.Config) { e.Anonymous = []string{"good", c.pattern} },
			"--topic-policy": func(e *engine.Config) {
				e.TopicPolicies = map[string]string{"good": "gap", c.pattern: "latest"}
			},
		} {
			config := keyed()
			set(&config)
			said := complaints(config.Check())
			switch {
			case c.found == "" && len(said) > 0:
				t.Errorf("%s %q: found %q, expected none", flag, c.pattern, said)
			case c.found != "" && (len(said) != 1 || !strings.HasPrefix(said[0], flag+": "+words) ||
				!strings.HasSuffix(said[0], c.found)):
				t.Errorf("%s %q: found %q, expected one line with %q", flag, c.pattern, said,
					words+c.found)
			}
		}
	}
	for prefix, found := range map[string]string{
		"": "", "sse:": "", "$": "", "\u00e4": "", "\xff": `"\xff"`, "a\x00": `"a\x00"`,
		"a\n": `"a\n"`, "\u0085": `"\u0085"`, "{": `"{"`, "a}": `"a}"`, "%": `"%"`,
	} {
		config := keyed()
		config.Redis.Prefix = prefix
		said := complaints(config.Check())
		want := "--redis-prefix: expected UTF-8 without control characters, braces and per cent signs, found " +
			found
		if found == "" && len(said) > 0 || found != "" && (len(said) != 1 || said[0] != want) {
			t.Errorf("--redis-prefix %q: found %q, expected %q", prefix, said, found)
		}
	}
}

// TestAllComplaintsAtOnce, so that a file is put in order in one go; and New, which
// opens sockets, does not before.
func TestAllComplaintsAtOnce(t *testing.T) {
	c := keyed()
	c.Keys, c.Shards, c.Rule.TopicBytes, c.DrainRate, c.SlowPolicy = nil, -1, 0, 0, "x"
	c.Listen = []string{"127.0.0.1:0", "nowhere"}
	said := complaints(c.Check())
	for _, want := range []string{"--key:", "--shards -1", "--topic-bytes 0", "--drain-rate 0",
		"--slow-policy x", "--listen nowhere"} {
		found := 0
		for _, line := range said {
			if strings.Contains(line, want) {
				found++
			}
		}
		if found != 1 {
			t.Errorf("found %q in %d lines of %q, expected one", want, found, said)
		}
	}
	if len(said) != 6 {
		t.Errorf("found %d lines, expected 6: %q", len(said), said)
	}
	if e, err := engine.New(c); err == nil {
		e.Close()
		t.Error("a node starts with all that is wrong with it")
	}
}
