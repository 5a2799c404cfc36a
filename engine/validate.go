package engine

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"ssedge/engine/auth"
	"ssedge/engine/fanin/redis"
	"ssedge/engine/httpapi"
	"ssedge/engine/intake"
	"ssedge/proto/eventid"
	"ssedge/proto/rule"
	"ssedge/proto/sse"
	"ssedge/shard"
	"ssedge/shard/log"
)

// Validate checks the settings, each by itself and against each other and the
// process's limits. It fills in StreamsMax where it is 0. All that is wrong is
// said at once, each in a line that names the settings and the numbers.
func (c *Config) Validate() error {
	var all []error
	fail := func(format string, args ...any) { all = append(all, fmt.Errorf(format, args...)) }
	c.checkAccess(fail)
	c.checkProxies(fail)
	c.checkBounds(fail)
	c.checkMeant(fail)
	c.checkRelations(fail)
	c.checkPatterns(fail)
	c.checkRedis(fail)
	c.checkFiles(fail)
	return errors.Join(all...)
}

// pollersMax is more than any machine needs.
const pollersMax = 128

// headersLeast is room for what clients send with a key: Host, Authorization, Content-Length, Content-Type, User-Agent, Accept,
// Accept-Encoding, and one that a proxy adds.
const headersLeast = 8

const headBytesLeast = 256

// Beyond these, the clocks of shards and sockets (32 bits of ticks, of milliseconds), the
// parser's offsets and those in a log's index (32 bits of an event's bytes on the wire) would wrap.
const (
	durationMax   = 500 * time.Hour
	turnTimeMax   = time.Second // while a shard writes, it does nothing else
	headBytesMax  = 1 << 20
	EventBytesMax = 512 << 20 // of --event-bytes: what a client must be ready for
	bodyBytesMax  = 512 << 20
)

// A log takes up to twice its events in memory (of very short ones the index is as
// large), and logSpare bytes of segments that are not full. If it could take more than
// all logs together may, it would be emptied under its own subscribers.
const logSpare = 128 << 10

type failure = func(format string, args ...any)

func (c *Config) checkAccess(fail failure) {
	if len(c.Listen) == 0 {
		fail("--listen: expected at least one address")
	}
	for _, address := range c.Listen {
		c.checkAddress("--listen", address, fail)
	}
	if c.Admin != "" {
		c.checkAddress("--admin", c.Admin, fail)
	}
	for _, origin := range c.CORSOrigins {
		if u, err := url.Parse(origin); origin != "*" && (err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != origin || !asBrowsersSend(u)) {
			fail("--cors-origin %s: expected an origin as browsers send it, in small letters, without the usual port and without *., names in ASCII: https://example.com or http://localhost:3000; or *", origin)
		}
	}
	if c.Dev {
		if len(c.Keys) > 0 || len(c.Anonymous) > 0 {
			fail("--dev lets every client do everything, so --key (or SSEDGE_KEY) and --anonymous would have no effect: expected one or the other")
		}
		return
	}
	if len(c.Keys) == 0 {
		fail("--key: expected at least one bearer key that may publish (SSEDGE_KEY, or key: in the file); anonymous subscribing is switched on with --anonymous 'public/*'; to try things out on this machine: --dev")
	}
	for i, key := range c.Keys {
		if err := c.CheckKey(key); err != nil {
			fail("--key: key %d: %w", i+1, err)
		}
	}
	for _, pattern := range c.Anonymous {
		if _, err := auth.ParsePattern(pattern); err != nil {
			fail("--anonymous: %w", err)
		}
	}
}

// leastHead is what a head has at least besides a key, in order to publish.
const leastHead = "POST /publish?topic=x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \r\nContent-Length: 1\r\n\r\n"

// CheckKey refuses keys that no client can send. The error does not say the key.
func (c *Config) CheckKey(key string) error {
	if err := auth.CheckKey(key); err != nil {
		return err
	}
	if room := max(c.HeadBytes-len(leastHead), 0); len(key) > room && c.HeadBytes >= headBytesLeast {
		return fmt.Errorf("expected at most %d bytes, which fit into --head-bytes %d beside the rest of a request, found %d", room, c.HeadBytes, len(key))
	}
	return nil
}

// checkPatterns refuses patterns that no topic can match: the name in a pattern, or the beginning of
// one, is held to the rule for names.
func (c *Config) checkPatterns(fail failure) {
	check := func(flag, pattern string) {
		if strings.Trim(pattern, " ") != pattern { // as behind the comma of a list
			fail("%s %q: expected no blanks around it", flag, pattern)
			return
		}
		name, prefix := strings.CutSuffix(pattern, "*")
		if name == "" && prefix || strings.Contains(name, "*") { // all topics; or an invalid pattern, which is refused elsewhere
			return
		}
		if err := (rule.Limits{TopicBytes: c.TopicBytes}).Topic([]byte(name)); err != nil && pattern != "" {
			fail("%s: %w", flag, err)
		}
	}
	for _, pattern := range c.Anonymous {
		check("--anonymous", pattern)
	}
	for _, pattern := range slices.Sorted(maps.Keys(c.TopicPolicies)) {
		check("--topic-policy", pattern)
	}
}

func (c *Config) checkProxies(fail failure) {
	_, wrong := intake.NewProxies(c.TrustedProxies, c.ForwardedHeader)
	for _, err := range wrong {
		fail("%w", err)
	}
	for _, address := range c.Listen {
		if _, proxies := intake.ListensForProxies(address); proxies && len(c.TrustedProxies) == 0 {
			fail("--listen %s: expected --trusted-proxies to name the proxies that connect there", address)
		}
	}
}

func (c *Config) checkBounds(fail failure) {
	atLeast := func(flag string, value, least int64) {
		if value < least {
			fail("--%s %d: expected at least %d", flag, value, least)
		}
	}
	if c.Shards < 1 || c.Shards > shard.ShardsMax {
		fail("--shards %d: expected 1 to %d", c.Shards, shard.ShardsMax)
	}
	if c.Pollers < 1 || c.Pollers > pollersMax {
		fail("--pollers %d: expected 1 to %d", c.Pollers, pollersMax)
	}
	atLeast("streams-max", int64(c.StreamsMax), 0)
	atLeast("per-address-max", int64(c.PerAddressMax), 0)
	atLeast("topics-per-stream", int64(c.TopicsPerStream), 1)
	atLeast("head-bytes", int64(c.HeadBytes), headBytesLeast)
	atLeast("headers-max", int64(c.HeadersMax), headersLeast)
	atLeast("target-bytes", int64(c.TargetBytes), 16)
	atLeast("heads-max", int64(c.HeadsMax), 1)
	atLeast("http-connections-max", int64(c.HTTPConnectionsMax), 1)
	atLeast("workers", int64(c.Workers), 1)
	atLeast("topics-max", int64(c.TopicsMax), 1)
	atLeast("topic-bytes", int64(c.TopicBytes), 1)
	atLeast("event-bytes", int64(c.EventBytes), 1)
	atLeast("key-bytes", int64(c.KeyBytes), 1)
	atLeast("keys-max", int64(c.KeysMax), 1)
	atLeast("history-events", int64(c.HistoryEvents), 1)
	atLeast("inbox-max", int64(c.InboxMax), 1)
	atLeast("rest-bytes", c.RestBytes, 0)
	atLeast("send-buffer", int64(c.SendBuffer), 0)
	atLeast("not-sent-lowat", int64(c.NotSentLowat), 0)
	atLeast("memory-max", c.MemoryMax, 0)
	atLeast("turn-sends", int64(c.TurnSends), 1)
	positive := func(flag string, ok bool, value any) {
		if !ok {
			fail("--%s %v: expected more than 0", flag, value)
		}
	}
	positive("write-stall", c.WriteStall > 0, c.WriteStall)
	positive("head-timeout", c.HeadTimeout > 0, c.HeadTimeout)
	positive("body-timeout", c.BodyTimeout > 0, c.BodyTimeout)
	positive("http-idle", c.HTTPIdle > 0, c.HTTPIdle)
	positive("history-age", c.HistoryAge > 0, c.HistoryAge)
	positive("key-ttl", c.KeyTTL > 0, c.KeyTTL)
	positive("drain-rate", c.DrainRate > 0 && !math.IsInf(c.DrainRate, 0), c.DrainRate)
	positive("turn-time", c.TurnTime > 0, c.TurnTime)
	if c.TurnTime > turnTimeMax {
		fail("--turn-time %v: expected at most %v", c.TurnTime, turnTimeMax)
	}
	notNegative := func(flag string, ok bool, value any) {
		if !ok {
			fail("--%s %v: expected 0 or more", flag, value)
		}
	}
	if c.Retry < time.Millisecond {
		fail("--retry %v: expected 1ms or more", c.Retry)
	}
	notNegative("retry-jitter", c.RetryJitter >= 0, c.RetryJitter)
	notNegative("heartbeat", c.Heartbeat >= 0, c.Heartbeat)
	if c.Heartbeat > 0 && c.Heartbeat < time.Millisecond { // clients are told it in milliseconds
		fail("--heartbeat %v: expected 0, which is none, or 1ms or more", c.Heartbeat)
	}
	notNegative("lifetime", c.Lifetime >= 0, c.Lifetime)
	notNegative("user-timeout", c.UserTimeout >= 0, c.UserTimeout)
	notNegative("drain-delay", c.DrainDelay >= 0, c.DrainDelay)
	notNegative("drain-timeout", c.DrainTimeout >= 0, c.DrainTimeout)
	notNegative("accept-rate", c.AcceptRate >= 0 && !math.IsInf(c.AcceptRate, 0), c.AcceptRate)
	for _, d := range []struct {
		flag  string
		value time.Duration
	}{
		{"heartbeat", c.Heartbeat}, {"lifetime", c.Lifetime}, {"write-stall", c.WriteStall}, {"user-timeout", c.UserTimeout},
		{"head-timeout", c.HeadTimeout}, {"body-timeout", c.BodyTimeout}, {"http-idle", c.HTTPIdle},
		{"retry", c.Retry}, {"retry-jitter", c.RetryJitter}, {"drain-delay", c.DrainDelay}, {"drain-timeout", c.DrainTimeout},
	} {
		if d.value > durationMax {
			fail("--%s %v: expected at most %v", d.flag, d.value, durationMax)
		}
	}
	if c.HeadBytes > headBytesMax {
		fail("--head-bytes %d: expected at most %d", c.HeadBytes, headBytesMax)
	}
	if c.BodyBytes > bodyBytesMax {
		fail("--body-bytes %d: expected at most %d", c.BodyBytes, bodyBytesMax)
	}
	if c.EventBytes > EventBytesMax {
		fail("--event-bytes %d: expected at most %d", c.EventBytes, EventBytesMax)
	}
	if _, err := c.policies(); err != nil {
		fail("%w", err)
	}
}

// wireBytesMax is how many bytes an event may take in a log, which keeps it in wire form.
func (c *Config) wireBytesMax() int64 {
	return int64(sse.WireBytesMax(min(c.EventBytes, EventBytesMax), eventid.MaxPositionBytes))
}

func (c *Config) checkRelations(fail failure) {
	d := DefaultConfig()
	of := func(flag string, value, usual any) string { // a setting that was left alone is not the one that is wrong
		if value == usual {
			return fmt.Sprintf("--%s %v (the default)", flag, value)
		}
		return fmt.Sprintf("--%s %v", flag, value)
	}
	head, target, topic := of("head-bytes", c.HeadBytes, d.HeadBytes), of("target-bytes", c.TargetBytes, d.TargetBytes), of("topic-bytes", c.TopicBytes, d.TopicBytes)
	event, body := of("event-bytes", c.EventBytes, d.EventBytes), of("body-bytes", c.BodyBytes, d.BodyBytes)
	history, histories := of("history-bytes", c.HistoryBytes, d.HistoryBytes), of("history-max", c.HistoryMax, d.HistoryMax)
	if c.TargetBytes > c.HeadBytes {
		fail("%s does not fit into %s", target, head)
	}
	if least := len(intake.StreamPath+"?topic=") + 3*c.TopicBytes + intake.ResumeBytesMax(1); c.TargetBytes < least {
		fail("%s is too little for %s, of which each may take three bytes, and an id: expected at least %d", target, topic, least)
	}
	if room := intake.ResumeBytesMax(c.TopicsPerStream); room > c.HeadBytes/2 {
		fail("%s is too much for %s, of which an id of so many topics takes up to %d: expected at least %d", of("topics-per-stream", c.TopicsPerStream, d.TopicsPerStream), head, room, 2*room)
	}
	events := c.EventBytes <= EventBytesMax // otherwise it was refused above, and one line is enough
	if wire := c.wireBytesMax(); events && wire > c.HistoryBytes {
		fail("%s is too much for %s: such an event takes up to %d bytes in a topic's log, where each line break begins a line of its own", event, history, wire)
	}
	if room := (c.HistoryMax - logSpare) / 2; c.HistoryBytes > room {
		fail("%s of one topic is too much for %s of all, in which indices and room to grow count too: expected at most %d", history, histories, max(room, 0))
	} else if log.SendWindow.Bytes > room {
		fail("%s is too little: a topic keeps %d bytes to be sent, however small %s is, and indices and room to grow count too: expected at least %d", histories, log.SendWindow.Bytes, history, 2*log.SendWindow.Bytes+logSpare)
	}
	if most := httpapi.RequestBytesMax(c.BodyBytes, int64(c.EventBytes)); c.PublishBytes < most {
		fail("%s: expected at least %d, which one request with %s and %s may take", of("publish-bytes", c.PublishBytes, d.PublishBytes), most, body, event)
	}
	if events && int64(c.EventBytes) > c.BodyBytes {
		fail("%s is more than %s: an event could not be published as JSON", event, body)
	}
	if c.MemoryMax > 0 && c.HistoryMax > c.MemoryMax {
		fail("--memory-max %d: expected 0, which is no bound, or at least as much as %s", c.MemoryMax, histories)
	}
	if limit := memoryLimit(); c.HistoryMax > limit.Bytes/2 {
		fail("%s is more than half of the memory limit %d (%s): streams would find no room", histories, limit.Bytes, limit.Of)
	}
	if most := rule.RetryMax * time.Millisecond; c.Retry <= durationMax && c.RetryJitter <= durationMax && c.Retry+c.RetryJitter > most {
		fail("%s and %s together are more than %v, the longest reconnection time that clients can keep", of("retry", c.Retry, d.Retry), of("retry-jitter", c.RetryJitter, d.RetryJitter), most)
	}
	if c.Heartbeat > 0 && c.Lifetime > 0 && c.Heartbeat > c.Lifetime {
		fail("%s is more than --lifetime %v: there would never be one", of("heartbeat", c.Heartbeat, d.Heartbeat), c.Lifetime)
	}
}

func (c *Config) checkRedis(fail failure) {
	odd := func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == '{' || r == '}' }
	if c.Edge == "" && c.Redis != "" || strings.ContainsFunc(c.Edge, odd) || !utf8.ValidString(c.Edge) { // it is written as JSON
		fail("--edge %q: expected a name of UTF-8 without blanks, control characters and braces, different for each node", c.Edge)
	}
	if err := redis.CheckPrefix(c.RedisPrefix); err != nil {
		fail("--redis-prefix: %w", err)
	}
	if err := redis.CheckFanIn(redis.FanIn(c.FanIn), c.Partitions); err != nil {
		fail("--fan-in %s, --partitions %d: %v", c.FanIn, c.Partitions, err)
	}
	if c.RedisTTL < time.Second {
		fail("--redis-ttl %v: expected 1s or more", c.RedisTTL)
	}
	if c.RedisTimeout < 10*time.Millisecond || c.RedisTimeout > time.Minute {
		fail("--redis-timeout %v: expected 10ms to 1m", c.RedisTimeout)
	}
	if c.RedisProbe < 10*time.Millisecond || c.RedisProbe > time.Minute {
		fail("--redis-probe %v: expected 10ms to 1m", c.RedisProbe)
	}
	if c.RedisPresence < 100*time.Millisecond {
		fail("--redis-presence %v: expected 100ms or more", c.RedisPresence)
	}
	if c.RedisLinger < time.Second {
		fail("--redis-linger %v: expected 1s or more", c.RedisLinger)
	}
	if c.RedisReadRate < 1 {
		fail("--redis-read-rate %d: expected 1 or more", c.RedisReadRate)
	}
	if c.RedisCatchUpRate < 1 {
		fail("--redis-catch-up-rate %d: expected 1 or more", c.RedisCatchUpRate)
	}
	if c.Redis == "" {
		if given := c.redisTLS(); given != (redis.TLSFiles{}) {
			fail("%s without --redis: expected the URL of servers, rediss://…", given.Flags())
		}
		return
	}
	if err := redis.CheckTLS(c.Redis, c.redisTLS()); err != nil && (c.RedisRequired || !errors.Is(err, redis.ErrExpired)) {
		fail("--redis: %w", err)
	}
	if c.RedisTTL < c.HistoryAge {
		fail("--redis-ttl %v is less than --history-age %v: the events of a quiet topic would be gone before their time", c.RedisTTL, c.HistoryAge)
	}
}

// connectionFiles is how many descriptors all connections together may have, by RLIMIT_NOFILE; 0: it cannot be read. Incomplete
// heads have what streams and requests leave: the oldest goes when that is all taken.
func (c *Config) connectionFiles() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int(min(limit.Cur, 1<<31)) - c.reservedFiles()
}

// checkFiles compares what may be open at a time with RLIMIT_NOFILE, whose soft
// limit Go has raised to the hard one.
func (c *Config) checkFiles(fail failure) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return
	}
	other := c.reservedFiles() + c.HTTPConnectionsMax
	room := int64(min(limit.Cur, 1<<31)) - int64(other)
	if c.StreamsMax == 0 {
		if c.StreamsMax = int(room); room < 1 {
			fail("RLIMIT_NOFILE is %d and --http-connections-max %d: no file is left for a stream (ulimit -n)", limit.Cur, c.HTTPConnectionsMax)
		}
		return
	}
	if int64(c.StreamsMax) > room {
		fail("--streams-max %d needs %d open files (with %d for requests and the server itself), but RLIMIT_NOFILE is %d (ulimit -n, LimitNOFILE=)", c.StreamsMax, c.StreamsMax+other, other, limit.Cur)
	}
}

// policies makes the function that says which policy a topic has.
func (c *Config) policies() (func(topic string) shard.Policy, error) {
	usual, ok := shard.ParsePolicy(c.SlowPolicy)
	if !ok {
		return nil, fmt.Errorf("--slow-policy %s: expected gap, close or latest", c.SlowPolicy)
	}
	type rule struct {
		pattern auth.Pattern
		length  int
		policy  shard.Policy
	}
	var rules []rule
	for text, name := range c.TopicPolicies {
		p, err := auth.ParsePattern(text)
		if err != nil {
			return nil, fmt.Errorf("--topic-policy: %w", err)
		}
		policy, ok := shard.ParsePolicy(name)
		if !ok {
			return nil, fmt.Errorf("--topic-policy %s=%s: expected gap, close or latest", text, name)
		}
		rules = append(rules, rule{p, len(text), policy})
	}
	return func(topic string) shard.Policy {
		best, policy := -1, usual
		for _, r := range rules {
			if r.length > best && r.pattern.Match([]byte(topic)) {
				best, policy = r.length, r.policy
			}
		}
		return policy
	}, nil
}
