package engine_test

import (
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"ssedge/engine"
	"ssedge/engine/setting"
)

// agreement is how edges of one prefix agree in a setting.
type agreement struct {
	flag   string
	change func(*engine.Config) // to another value
	there  string               // that value, as it is told
	why    string               // edges may differ; or they do not find each other, or do not start
}

// agreements has every setting: in which edges must agree, or why they need not.
var agreements = map[string]agreement{
	"Rule.TopicBytes": {"--topic-bytes", func(c *engine.Config) { c.Rule.TopicBytes = 100 },
		"100", ""},
	"Rule.EventBytes": {"--event-bytes", func(c *engine.Config) { c.Rule.EventBytes = 1000 },
		"1000", ""},
	"Rule.KeyBytes": {"--key-bytes", func(c *engine.Config) { c.Rule.KeyBytes = 50 }, "50",
		""},
	"KeyTTL": {"--key-ttl", func(c *engine.Config) { c.KeyTTL = time.Minute }, "1m0s",
		""},
	"HistoryEvents": {"--history-events", func(c *engine.Config) { c.HistoryEvents = 7 }, "7",
		""},
	"HistoryBytes": {"--history-bytes", func(c *engine.Config) { c.HistoryBytes = 3 << 20 },
		"3145728", ""},
	"HistoryAge": {"--history-age",
		func(c *engine.Config) { c.HistoryAge = 5 * time.Minute }, "5m0s", ""},
	"Redis.TTL": {"--redis-ttl", func(c *engine.Config) { c.Redis.TTL = 2 * time.Hour },
		"2h0m0s", ""},
	"Redis.PresenceEvery": {"--redis-presence",
		func(c *engine.Config) { c.Redis.PresenceEvery = 500 * time.Millisecond }, "500ms", ""},
	"SlowPolicy": {"--slow-policy", func(c *engine.Config) { c.SlowPolicy = "latest" },
		"latest", ""},
	"TopicPolicies": {"--topic-policy",
		func(c *engine.Config) {
			c.TopicPolicies = map[string]string{"a b*": "close", "a": "gap"}
		}, `"a=gap,a b*=close"`, ""},
	"TopicsPerStream": {"--topics-per-stream", func(c *engine.Config) { c.TopicsPerStream = 3 },
		"3", ""},

	"Redis.FanIn":      {why: "an edge with another one does not start: TestFanInMustAgree"},
	"Redis.Partitions": {why: "the same"},
	"Redis.URL":        {why: "edges of other servers do not find each other"},
	"Redis.Prefix":     {why: "keeps apart what is to be apart"},
	"Edge":             {why: "must differ: an edge of the same name is warned of"},

	"Keys": {
		why: "a client sees at once that its key is refused (401), and keys are changed at one edge after the other; they are secrets"}, "Anonymous": {why: "the same"},
	"Dev": {why: "the same"}, "CORSOrigins": {why: "the browser says so"},
	"TrustedProxies": {why: "each edge has its own proxies"}, "ForwardedHeader": {why: "the same"},

	"HeadBytes": {why: "a refusal says so"}, "HeadersMax": {why: "a refusal says so"},
	"TargetBytes": {why: "a refusal says so"}, "BodyBytes": {why: "a refusal says so"},

	"Heartbeat": {why: "each stream is told"}, "Retry": {why: "each stream is told"},
	"RetryJitter": {why: "each stream is told"}, "Chunked": {why: "each answer says so"},
	"Lifetime": {why: "a client comes back"}, "PollMax": {why: "a refusal says so"},

	"Redis.TLS.Cert": {why: "of this edge"}, "Redis.TLS.Key": {why: "of this edge"},
	"Redis.TLS.CA":   {why: "of this edge"},
	"Redis.Required": {why: "of this edge"}, "Redis.Timeout": {why: "of this edge"},
	"Redis.ProbeInterval": {why: "of this edge"}, "Redis.CatchUpRate": {why: "of this edge"},
	"Redis.Linger": {why: "of this edge"}, "ReadyNeedsRedis": {why: "of this edge"},
	"KeysMax":  {why: "has no effect with Redis"},
	"StateDir": {why: "is refused with Redis"}, "StateInterval": {why: "has no effect with Redis"},

	"Version": {why: "edges are replaced one after the other"}, "Logger": {why: "of this edge"},
	"LogDropped": {why: "of this edge"},
	"Listen":     {why: "of this edge"}, "Admin": {why: "of this edge"},
	"Inherited": {why: "of this edge"}, "Shards": {why: "of this edge's size"},
	"Pollers":    {why: "of this edge's size"},
	"StreamsMax": {why: "of this edge's size"}, "PerAddressMax": {why: "of this edge's size"},
	"AcceptRate": {why: "of this edge's size"}, "WriteStall": {why: "of this edge's network"},
	"SendBuffer": {why: "of this edge's network"}, "NotSentLowat": {why: "of this edge's network"},
	"UserTimeout": {why: "of this edge's network"}, "RestBytes": {why: "of this edge's size"},
	"InboxMax": {why: "of this edge's size"}, "HeadTimeout": {why: "of this edge's network"},
	"HeadsMax": {why: "of this edge's size"}, "HTTPConnectionsMax": {why: "of this edge's size"},
	"HTTPIdle": {why: "of this edge's network"}, "Workers": {why: "of this edge's size"},
	"BodyTimeout": {why: "of this edge's network"}, "TopicsMax": {why: "of this edge's size"},
	"PublishBytes": {why: "of this edge's size"}, "Redis.ReadRate": {why: "of this edge"},
	"HistoryMax": {why: "of this edge's size; what it drops is told (evicted)"},
	"MemoryMax":  {why: "of this edge's size"}, "TurnSends": {why: "of this edge's size"},
	"TurnTime":   {why: "of this edge's size"},
	"DrainDelay": {why: "of this edge's end"}, "DrainRate": {why: "of this edge's end"},
	"DrainTimeout": {why: "of this edge's end"},
}

// Edges that differ in settings in which they must agree both say so: which edge, which settings,
// both values; and that they are the same again. In others they may differ in silence.
func TestSettingsThatMustAgree(t *testing.T) {
	t.Parallel()
	var usual engine.Config
	quick := func(c *engine.Config) { c.Redis.PresenceEvery = 200 * time.Millisecond }
	for _, o := range setting.All(&engine.Config{}) {
		if a, ok := agreements[o.Path]; !ok || (a.why == "") != (a.change != nil) {
			t.Errorf("%s: expected an entry that says how edges agree in it, or why they need not",
				o.Path)
		}
	}
	r := startRedis(t)
	url := "redis://" + r.address()
	logOf := func(name string, change func(*engine.Config)) (*said, *node) {
		log := &said{}
		return log, edge(t, url, func(c *engine.Config) {
			quick(c)
			usual = *c
			c.Edge, c.Logger = name, slog.New(slog.NewTextHandler(log, nil))
			if change != nil {
				change(c)
			}
		})
	}
	one, first := logOf("one", nil)
	before := usual
	same, _ := logOf("same", func(c *engine.Config) { // whatever else differs
		c.Redis.Linger, c.Redis.Timeout, c.Heartbeat, c.TopicsMax, c.BodyBytes, c.Retry =
			time.Minute, 2*time.Second, time.Second, 1000, 1<<20, 3*time.Second
	})
	other, odd := logOf("odd", func(c *engine.Config) {
		for _, a := range agreements {
			if a.change != nil {
				a.change(c)
			}
		}
	})
	value := func(name string) string {
		for _, o := range setting.All(&before) {
			if o.Path == name && o.Value.Kind() != reflect.Map {
				return fmt.Sprint(o.Value.Interface())
			}
		}
		return `""`
	}
	for name, a := range agreements {
		if a.change == nil {
			continue
		}
		for _, from := range []struct {
			log         *said
			of          string
			there, here string
		}{{one, "odd", a.there, value(name)}, {same, "odd", a.there, value(name)},
			{other, "one, same", value(name), a.there}} {
			want := strings.ReplaceAll(fmt.Sprintf("%s is %s there, %s here", a.flag, from.there,
				from.here), `"`, `\"`)
			await(t, want, func() (bool, string) {
				for line := range strings.Lines(from.log.String()) {
					if strings.Contains(line, "settings differ between edges") &&
						strings.Contains(line, from.of) && strings.Contains(line, want) {
						return true, ""
					}
				}
				return false, from.log.String()
			})
		}
	}
	if n := first.metrics(t)["ssedge_redis_edges_differing"]; n != 1 {
		t.Errorf("%v edges differ, expected 1", n)
	}
	for of, log := range map[string]*said{"one": one, "same": same} {
		if strings.Contains(log.String(), "edges="+of) ||
			strings.Count(log.String(), "settings differ between edges") != 1 {
			t.Errorf("edge %s says: %s", of, log)
		}
	}
	odd.engine.Close()
	await(t, "all to be the same again", func() (bool, string) {
		return strings.Contains(one.String(), "the same settings again") &&
			first.metrics(t)["ssedge_redis_edges_differing"] == 0, one.String()
	})
}
