package engine_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"ssedge/engine"
	"ssedge/engine/setting"
)

// settingTrial is a setting with another value than usual, and what is seen of it: with Redis and
// without.
type settingTrial struct {
	change func(*engine.Config)
	// what must be so on a node with that value, and is not with the usual one
	effect func(t *testing.T, n *node)
	// the mode in which it means anything; in the other one the log says this flag has no effect
	only  string
	flag  string
	alike string // nothing of it is looked at here, but that a node with this value serves: why
}

// Why some settings are only tried, and not looked at.
const (
	ofSockets = "it is used on sockets and requests, which know no source of events"
	ofShards  = "it is used by shards, in whose logs events of both sources are alike"
	ofTheEnd  = "it is used when the node ends"
	ofServers = "it is used on connections to the servers"
)

// settingTrials has every setting of a node.
var settingTrials = map[string]settingTrial{
	"Dev": {change: func(c *engine.Config) { locked(c) },
		effect: refuses("POST", "/publish?topic=t", "x", 401)},
	"Keys": {change: func(c *engine.Config) { locked(c); c.Keys = []string{"another-key"} },
		effect: answersKey("another-key", 200)},
	"Anonymous": {change: func(c *engine.Config) { locked(c); c.Anonymous = []string{"open/*"} },
		effect: opens("open/x")},
	"Version": {change: func(c *engine.Config) { c.Version = "v-seen" },
		effect: shows("/admin/status", "v-seen")},
	"Edge": {change: func(c *engine.Config) { c.Edge = "seen" },
		effect: shows("/admin/edges", `"edge":"seen"`)},
	"Admin": {change: func(c *engine.Config) { c.Admin = "127.0.0.1:0" },
		effect: shows("/healthz", "")},
	"LogDropped": {change: func(c *engine.Config) { c.LogDropped = func() uint64 { return 7 } },
		effect: func(t *testing.T, n *node) {
			n.await(t, "ssedge_log_lines_dropped_total", 7)
		}},
	"Listen": {change: func(c *engine.Config) { c.Listen = []string{"127.0.0.1:0", "127.0.0.1:0"} },
		effect: func(t *testing.T, n *node) {
			if len(n.engine.Addrs()) != 2 {
				t.Errorf("it listens on %v", n.engine.Addrs())
			}
		}},
	"CORSOrigins": {change: func(c *engine.Config) {
		c.CORSOrigins = []string{"https://page.example"}
	}, effect: func(t *testing.T, n *node) {
		r, _ := http.NewRequest("POST", "http://"+n.addr+"/publish?topic=t", strings.NewReader("x"))
		r.Header.Set("Origin", "https://page.example")
		if got, err := n.http.Do(r); err != nil || got.StatusCode != 200 ||
			got.Header.Get("Access-Control-Allow-Origin") == "" {
			t.Errorf("found %+v, %v", got, err)
		}
	}},

	"StreamsMax":    {change: func(c *engine.Config) { c.StreamsMax = 1 }, effect: holdsOne},
	"PerAddressMax": {change: func(c *engine.Config) { c.PerAddressMax = 1 }, effect: holdsOne},
	"TopicsPerStream": {change: func(c *engine.Config) { c.TopicsPerStream = 1 },
		effect: refuses("GET", "/events?topic=a&topic=b", "", 400)},
	"Heartbeat": {change: func(c *engine.Config) { c.Heartbeat = 20 * time.Millisecond },
		effect: func(t *testing.T, n *node) {
			st := n.opened(t, topic("quiet"))
			for st.beats == 0 {
				if err := st.read(1); err != nil {
					t.Fatal(err)
				}
			}
		}},
	"Lifetime": {change: func(c *engine.Config) {
		c.Lifetime, c.Heartbeat = 300*time.Millisecond, 0
	}, effect: func(t *testing.T, n *node) {
		if _, err := n.opened(t, topic("x")).untilEnd(); err != nil {
			t.Error(err)
		}
	}},
	"Retry": {change: func(c *engine.Config) {
		c.Retry, c.RetryJitter = 1234*time.Millisecond, 0
	}, effect: opensWith("retry: 1234\n")},
	"RetryJitter": {change: func(c *engine.Config) {
		c.Retry, c.RetryJitter = time.Millisecond, 500*time.Hour
	}, effect: opensWithout("retry: 1\n")},
	"PollMax": {change: func(c *engine.Config) { c.PollMax = 5 * time.Second },
		effect: refuses("GET", "/events?topic=x&poll=6s", "", 400)},
	"Chunked": {change: func(c *engine.Config) { c.Chunked = true },
		effect: func(t *testing.T, n *node) {
			if got, err := n.http.Get("http://" + n.addr + "/events?topic=x"); err != nil ||
				fmt.Sprint(got.TransferEncoding) != "[chunked]" {
				t.Errorf("found %+v, %v", got, err)
			} else {
				got.Body.Close()
			}
		}},

	"HeadBytes": {change: func(c *engine.Config) {
		c.HeadBytes, c.TargetBytes = 4<<10, 2<<10
	}, effect: refusesHead(5<<10, 431)},
	"HeadersMax": {change: func(c *engine.Config) { c.HeadersMax = 8 },
		effect: refusesFields(8, 431)},
	"TargetBytes": {change: func(c *engine.Config) { c.TargetBytes = 1 << 10 },
		effect: refuses("GET", "/events?topic=x&x="+strings.Repeat("x", 2<<10), "", 414)},
	"BodyBytes": {change: func(c *engine.Config) {
		c.BodyBytes, c.Rule.EventBytes = 100, 100
	}, effect: refusesJSON(`{"topic":"t","data":"x"}`+strings.Repeat(" ", 100), 413)},
	"PublishBytes": {change: func(c *engine.Config) {
		c.BodyBytes, c.Rule.EventBytes, c.PublishBytes = 4<<10, 4<<10, 2<<20
	}, effect: metric("ssedge_publish_memory_bytes_max", 2<<20)},
	"Rule.TopicBytes": {change: func(c *engine.Config) { c.Rule.TopicBytes = 3 },
		effect: refuses("POST", "/publish?topic=long", "x", 400)},
	"Rule.EventBytes": {change: func(c *engine.Config) { c.Rule.EventBytes = 3 },
		effect: refuses("POST", "/publish?topic=t", "long", 413)},
	"Rule.KeyBytes": {change: func(c *engine.Config) { c.Rule.KeyBytes = 3 },
		effect: refuses("POST", "/publish?topic=t&key=long", "x", 400)},
	"TopicsMax": {change: func(c *engine.Config) { c.TopicsMax = 1 },
		effect: func(t *testing.T, n *node) {
			n.opened(t, topic("one"))
			refuses("GET", "/events?topic=two", "", 503)(t, n)
		}},
	"KeyTTL": {change: func(c *engine.Config) { c.KeyTTL = time.Second },
		effect: func(t *testing.T, n *node) {
			_, once := send(t, n, "POST", "/publish?topic=t&key=k", "x")
			await(t, "a key to be forgotten", func() (bool, string) {
				time.Sleep(50 * time.Millisecond)
				_, again := send(t, n, "POST", "/publish?topic=t&key=k", "x")
				return again != once && !strings.Contains(again, "duplicate"), again
			})
		}},
	"HistoryEvents": {change: func(c *engine.Config) { c.HistoryEvents = 3 },
		effect: forgets(2000, 10)},
	"HistoryBytes": {change: func(c *engine.Config) {
		c.HistoryBytes, c.Rule.EventBytes = 32<<10, 2<<10
	}, effect: holdsLess(200, 1000)},
	"HistoryAge": {change: func(c *engine.Config) { c.HistoryAge = 50 * time.Millisecond },
		effect: func(t *testing.T, n *node) {
			n.publish(t, "t", "old")
			time.Sleep(200 * time.Millisecond)
			n.publish(t, "t", "new")
			n.opened(t, after("t", "earliest")).gets(t, "new")
		}},
	"HistoryMax": {change: func(c *engine.Config) {
		c.HistoryMax, c.HistoryBytes, c.Rule.EventBytes = 512<<10, 64<<10, 8<<10
	}, effect: func(t *testing.T, n *node) {
		for k := range 40 {
			name := fmt.Sprint("t", k)
			n.opened(t, topic(name))
			for range 8 {
				n.publish(t, name, strings.Repeat("x", 8000))
			}
		}
		if held := n.metrics(t)["ssedge_history_bytes"]; held == 0 || held > 512<<10 {
			t.Errorf("%v bytes are held", held)
		}
	}},
	"SlowPolicy": {change: func(c *engine.Config) {
		c.SlowPolicy, c.HistoryEvents = "latest", 3
	}, effect: resumesAtTheNewest},
	"TopicPolicies": {change: func(c *engine.Config) {
		c.TopicPolicies, c.HistoryEvents = map[string]string{"t": "latest"}, 3
	}, effect: resumesAtTheNewest},
	"MemoryMax": {change: func(c *engine.Config) {
		c.HistoryBytes, c.Rule.EventBytes, c.HistoryMax, c.MemoryMax = 64<<10, 8<<10, 512<<10, 1<<20
	}, effect: func(t *testing.T, n *node) {
		await(t, "streams to be refused", func() (bool, string) {
			status, body := send(t, n, "HEAD", "/events?topic=t", "")
			st, err := n.dial(topic("t"))
			if err == nil {
				st.reset()
			}
			return err != nil && strings.Contains(err.Error(), "503"), fmt.Sprint(status, body)
		})
	}},
	"DrainDelay": {change: func(c *engine.Config) { c.DrainDelay = time.Hour },
		effect: func(t *testing.T, n *node) {
			go n.engine.Drain()
			await(t, "it not to be ready", func() (bool, string) {
				code, body := n.get(t, n.admin, "/readyz")
				return code == 503, body
			})
			n.opened(t, topic("x"))
		}},

	"KeysMax": {only: "embedded", flag: "--keys-max",
		change: func(c *engine.Config) { c.KeysMax = 1 }, effect: func(t *testing.T, n *node) {
			for _, key := range []string{"a", "b"} {
				send(t, n, "POST", "/publish?topic=t&key="+key, "x")
			}
			if status, body := send(t, n, "POST", "/publish?topic=t&key=a", "x"); status != 200 ||
				strings.Contains(body, "duplicate") {
				t.Errorf("a key beyond the bound is remembered: %d %s", status, body)
			}
		}},
	"Redis.Prefix": {only: "redis", flag: "--redis-prefix",
		change: func(c *engine.Config) { c.Redis.Prefix += "more:" }, effect: works},
	"Redis.FanIn": {only: "redis", flag: "--fan-in",
		change: func(c *engine.Config) {
			c.Redis.FanIn, c.Redis.Prefix = "partition", c.Redis.Prefix+"partition:"
		}, effect: works},
	"Redis.Partitions": {only: "redis", flag: "--partitions",
		change: func(c *engine.Config) { c.Redis.Partitions = 8 }, effect: nil,
		alike: "with --fan-in=partition: TestFanInOfTwoEdges has 16"},
	"Redis.Required": {only: "redis", flag: "--no-redis-required",
		change: func(c *engine.Config) { c.Redis.Required = false },
		alike:  "TestServersThatComeLater"},
	"Redis.TTL": {only: "redis", flag: "--redis-ttl",
		change: func(c *engine.Config) { c.Redis.TTL = 2 * time.Hour },
		effect: metric("ssedge_redis_history_seconds_max", 7200)},
	"Redis.Timeout": {only: "redis", flag: "--redis-timeout",
		change: func(c *engine.Config) { c.Redis.Timeout = 2 * time.Second },
		effect: metric("ssedge_redis_answer_seconds_max", 2)},
	"Redis.CatchUpRate": {only: "redis", flag: "--redis-catch-up-rate",
		change: func(c *engine.Config) { c.Redis.CatchUpRate = 7 },
		effect: metric("ssedge_redis_catchups_per_second_max", 7)},
	"Redis.ReadRate": {only: "redis", flag: "--redis-read-rate",
		change: func(c *engine.Config) { c.Redis.ReadRate = 9 },
		effect: metric("ssedge_redis_reads_per_address_max", 9)},
	"Redis.ProbeInterval": {only: "redis", flag: "--redis-probe",
		change: func(c *engine.Config) { c.Redis.ProbeInterval = time.Minute },
		alike:  "TestOneHalfMovesTheOther has a minute, others half a second"},
	"Redis.PresenceEvery": {only: "redis", flag: "--redis-presence",
		change: func(c *engine.Config) { c.Redis.PresenceEvery = time.Minute },
		alike:  "TestFanInMustAgree has less, and sees it"},
	"Redis.Linger": {only: "redis", flag: "--redis-linger",
		change: func(c *engine.Config) { c.Redis.Linger = time.Minute }, alike: ofShards},
	"ReadyNeedsRedis": {only: "redis", flag: "--ready-needs-redis",
		change: func(c *engine.Config) { c.ReadyNeedsRedis = true },
		alike:  "TestServersThatTakeNoEvents"},

	"StateDir":      {alike: "with Redis it is refused: TestWhereHistoryCanBeKept, TestARestartIsExact"},
	"StateInterval": {alike: "it needs --state-dir, which Redis refuses: TestHistoryAfterAKill"},

	"Redis.URL":      {alike: "it is the mode"},
	"Redis.TLS.Cert": {alike: "without Redis it is refused: TestWrongCertificates"},
	"Redis.TLS.Key":  {alike: "the same"}, "Redis.TLS.CA": {alike: "the same"},
	"Logger":    {alike: "the log is read here in both modes"},
	"Inherited": {alike: ofSockets + "; it holds open files, which this table does not"},
	"TrustedProxies": {alike: ofSockets, change: func(c *engine.Config) {
		c.TrustedProxies = []string{"127.0.0.2"}
	}}, "ForwardedHeader": {alike: ofSockets, change: func(c *engine.Config) {
		c.ForwardedHeader = "forwarded"
	}},
	"Shards":     {alike: ofShards, change: func(c *engine.Config) { c.Shards = 3 }},
	"Pollers":    {alike: ofSockets, change: func(c *engine.Config) { c.Pollers = 1 }},
	"AcceptRate": {alike: ofSockets, change: func(c *engine.Config) { c.AcceptRate = 1000 }},
	"WriteStall": {alike: ofShards, change: func(c *engine.Config) {
		c.WriteStall = 20 * time.Second
	}},
	"SendBuffer":   {alike: ofSockets, change: func(c *engine.Config) { c.SendBuffer = 64 << 10 }},
	"NotSentLowat": {alike: ofSockets, change: func(c *engine.Config) { c.NotSentLowat = 8 << 10 }},
	"UserTimeout": {alike: ofSockets, change: func(c *engine.Config) {
		c.UserTimeout = 30 * time.Second
	}}, "RestBytes": {alike: ofShards, change: func(c *engine.Config) { c.RestBytes = 1 << 20 }},
	"InboxMax": {alike: ofShards, change: func(c *engine.Config) { c.InboxMax = 100 }},
	"HeadTimeout": {alike: ofSockets, change: func(c *engine.Config) {
		c.HeadTimeout = 5 * time.Second
	}},
	"HeadsMax": {alike: ofSockets, change: func(c *engine.Config) { c.HeadsMax = 100 }},
	"HTTPConnectionsMax": {alike: ofSockets, change: func(c *engine.Config) {
		c.HTTPConnectionsMax = 100
	}},
	"HTTPIdle": {alike: ofSockets, change: func(c *engine.Config) {
		c.HTTPIdle = time.Minute
	}},
	"Workers": {alike: ofSockets, change: func(c *engine.Config) { c.Workers = 8 }},
	"BodyTimeout": {alike: ofSockets, change: func(c *engine.Config) {
		c.BodyTimeout = 20 * time.Second
	}}, "TurnSends": {alike: ofShards, change: func(c *engine.Config) { c.TurnSends = 16 }},
	"TurnTime": {alike: ofShards, change: func(c *engine.Config) {
		c.TurnTime = time.Millisecond
	}},
	"DrainRate": {alike: ofTheEnd, change: func(c *engine.Config) { c.DrainRate = 100 }},
	"DrainTimeout": {alike: ofTheEnd, change: func(c *engine.Config) {
		c.DrainTimeout = 10 * time.Second
	}},
}

// Every setting is tried with Redis and without, and means the same. If it means nothing in one
// mode, the log of a node says so at start.
func TestEverySettingInBothModes(t *testing.T) {
	t.Parallel()
	for _, o := range setting.All(&engine.Config{}) {
		if s, ok := settingTrials[o.Path]; !ok || s.effect == nil && s.alike == "" {
			t.Errorf("%s: expected an entry in settingTrials", o.Path)
		}
	}
	r := startRedis(t)
	for _, mode := range []string{"embedded", "redis"} {
		t.Run(mode, func(t *testing.T) {
			if mode == "redis" {
				unraced(t) // the other half
			}
			t.Parallel()
			start := func(t *testing.T, name string, changes ...func(*engine.Config)) (*node,
				*said) {
				log := &said{}
				return startNode(t, func(c *engine.Config) {
					c.Logger = slog.New(slog.NewTextHandler(log, nil))
					if mode == "redis" {
						c.Redis.URL, c.Edge, c.Redis.Prefix = "redis://"+r.address(), name, name+":"
					}
					for _, change := range changes {
						change(c)
					}
				}), log
			}
			var together []func(*engine.Config)
			for name, s := range settingTrials {
				switch {
				case s.only != "" && s.only != mode:
					n, log := start(t, name, s.change)
					works(t, n)
					if text := log.String(); !strings.Contains(text, "no effect") ||
						!strings.Contains(text, s.flag+" (") {
						t.Errorf("%s: expected the log to say that %s has no effect: %s", name,
							s.flag, text)
					}
				case s.effect != nil:
					t.Run(name, func(t *testing.T) {
						n, log := start(t, name, s.change)
						s.effect(t, n)
						if mode == "redis" {
							n.await(t, "ssedge_redis_up", 1)
						}
						if strings.Contains(log.String(), "no effect") {
							t.Errorf("it has an effect, and the log says that it has none: %s", log)
						}
					})
				case s.change != nil:
					together = append(together, s.change)
				}
			}
			n, _ := start(t, "together", together...)
			works(t, n)
		})
	}
}
