package engine

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"ssedge/engine/auth"
	"ssedge/engine/fanin/redis"
	"ssedge/engine/httpapi"
	"ssedge/engine/intake"
	"ssedge/engine/setting"
	"ssedge/proto/eventid"
	"ssedge/proto/rule"
	"ssedge/proto/sse"
	"ssedge/shard/log"
)

// Check checks the settings, each by itself and against each other and the process's limits. It
// replaces those that mean "as many as fit" (0, or no name) by what that is. All that is wrong is
// said at once, each in a line that names the settings and the numbers.
func (c *Config) Check() error {
	var all []error
	fail := func(format string, args ...any) { all = append(all, fmt.Errorf(format, args...)) }
	setting.Check(c, fail)
	c.fill()
	for _, group := range []interface{ Check(setting.Fail) }{&c.Access, &c.CORS, &c.Trust,
		&c.Redis.Shared} {
		group.Check(fail)
	}
	c.checkAddresses(fail)
	c.checkAccess(fail)
	c.checkPolicies(fail)
	c.checkSizes(fail)
	c.checkTimes(fail)
	c.checkRedis(fail)
	c.checkState(fail)
	c.checkFiles(fail)
	return errors.Join(all...)
}

// A log takes up to twice its events in memory (of very short ones the index is as large), and
// logSpare bytes of segments that are not full. If it could take more than all logs together may,
// it would be emptied under its own subscribers.
const logSpare = 128 << 10

func (c *Config) checkAddresses(fail setting.Fail) {
	if len(c.Listen) == 0 {
		fail("--listen: expected at least one address")
	}
	for _, address := range c.Listen {
		c.checkAddress("--listen", address, fail)
		if _, proxies := intake.ListensForProxies(address); proxies && len(c.TrustedProxies) == 0 {
			fail("--listen %s: expected --trusted-proxies to name the proxies that connect there",
				address)
		}
	}
	if c.Admin != "" {
		c.checkAddress("--admin", c.Admin, fail)
	}
	c.checkTwice(fail)
}

func (c *Config) checkAccess(fail setting.Fail) {
	switch {
	case c.Dev && (len(c.Keys) > 0 || len(c.Anonymous) > 0):
		fail("--dev lets every client do everything, so --key (or SSEDGE_KEY) and --anonymous would have no effect: expected one or the other")
	case !c.Dev && len(c.Keys) == 0:
		fail("--key: expected at least one bearer key that may publish (SSEDGE_KEY, or key: in the file); anonymous subscribing is switched on with --anonymous 'public/*'; to try things out on this machine: --dev")
	}
	for i, key := range c.Keys {
		if err := c.CheckKey(key); err != nil {
			fail("--key: key %d: %w", i+1, err)
		}
	}
	for _, pattern := range c.Anonymous {
		c.checkPattern("--anonymous", pattern, fail)
	}
}

// leastHead is what a head has at least besides a key, in order to publish.
const leastHead = "POST /publish?topic=x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \r\nContent-Length: 1\r\n\r\n"

// CheckKey refuses keys that no client can send. The error does not say the key.
func (c *Config) CheckKey(key string) error {
	if err := auth.CheckKey(key); err != nil {
		return err
	}
	if room := max(c.HeadBytes-len(leastHead), 0); len(key) > room && c.HeadBytes > len(leastHead) {
		return fmt.Errorf("expected at most %d bytes, which fit into --head-bytes %d beside the rest of a request, found %d",
			room, c.HeadBytes, len(key))
	}
	return nil
}

// checkPattern refuses a pattern that no topic can match: the name in it, or the beginning of one,
// is held to the rule for names.
func (c *Config) checkPattern(flag, pattern string, fail setting.Fail) {
	if strings.Trim(pattern, " ") != pattern { // as behind the comma of a list
		fail("%s %q: expected no blanks around it", flag, pattern)
		return
	}
	name, prefix := strings.CutSuffix(pattern, "*")
	if name == "" && prefix || strings.Contains(name, "*") {
		// all topics; or an invalid pattern, which is refused elsewhere
		return
	}
	if err := (rule.Limits{TopicBytes: c.Rule.TopicBytes}).Topic([]byte(name)); err != nil &&
		pattern != "" {
		fail("%s: %w", flag, err)
	}
}

// wireBytesMax is how many bytes an event may take in a log, which keeps it in wire form.
func (c *Config) wireBytesMax() int64 {
	return int64(sse.WireBytesMax(min(c.Rule.EventBytes, rule.EventBytesMax),
		eventid.MaxPositionBytes))
}

// checkSizes holds sizes against each other, in the form in which the bytes are kept.
func (c *Config) checkSizes(fail setting.Fail) {
	d := DefaultConfig()
	of := func(flag string, value, usual any) string {
		// a setting that was left alone is not the one that is wrong
		if value == usual {
			return fmt.Sprintf("--%s %v (the default)", flag, value)
		}
		return fmt.Sprintf("--%s %v", flag, value)
	}
	head, target, topic := of("head-bytes", c.HeadBytes, d.HeadBytes),
		of("target-bytes", c.TargetBytes, d.TargetBytes),
		of("topic-bytes", c.Rule.TopicBytes, d.Rule.TopicBytes)
	event, body := of("event-bytes", c.Rule.EventBytes, d.Rule.EventBytes),
		of("body-bytes", c.BodyBytes, d.BodyBytes)
	history, histories := of("history-bytes", c.HistoryBytes, d.HistoryBytes),
		of("history-max", c.HistoryMax, d.HistoryMax)
	if c.TargetBytes > c.HeadBytes {
		fail("%s does not fit into %s", target, head)
	}
	if least := len(intake.StreamPath+"?topic=") + 3*c.Rule.TopicBytes +
		intake.ResumeBytesMax(1); c.TargetBytes < least {
		fail("%s is too little for %s, of which each may take three bytes, and an id: expected at least %d",
			target, topic, least)
	}
	if room := intake.ResumeBytesMax(c.TopicsPerStream); room > c.HeadBytes/2 {
		fail("%s is too much for %s, of which an id of so many topics takes up to %d: expected at least %d",
			of("topics-per-stream", c.TopicsPerStream, d.TopicsPerStream), head, room, 2*room)
	}
	// otherwise it was refused above, and one line is enough
	events := c.Rule.EventBytes <= rule.EventBytesMax
	if wire := c.wireBytesMax(); events && wire > c.HistoryBytes {
		fail("%s is too much for %s: such an event takes up to %d bytes in a topic's log, where each line break begins a line of its own",
			event, history, wire)
	}
	if room := (c.HistoryMax - logSpare) / 2; c.HistoryBytes > room {
		fail("%s of one topic is too much for %s of all, in which indices and room to grow count too: expected at most %d",
			history, histories, max(room, 0))
	} else if log.SendWindow.Bytes > room {
		fail("%s is too little: a topic keeps %d bytes to be sent, however small %s is, and indices and room to grow count too: expected at least %d",
			histories, log.SendWindow.Bytes, history, 2*log.SendWindow.Bytes+logSpare)
	}
	if most := httpapi.RequestBytesMax(c.BodyBytes,
		int64(c.Rule.EventBytes)); c.PublishBytes < most {
		fail("%s: expected at least %d, which one request with %s and %s may take",
			of("publish-bytes", c.PublishBytes, d.PublishBytes), most, body, event)
	}
	if events && int64(c.Rule.EventBytes) > c.BodyBytes {
		fail("%s is more than %s: an event could not be published as JSON", event, body)
	}
	if c.MemoryMax > 0 && c.HistoryMax > c.MemoryMax {
		fail("--memory-max %d: expected 0, which is no bound, or at least as much as %s",
			c.MemoryMax, histories)
	}
	if limit := memoryLimit(); c.HistoryMax > limit.Bytes/2 {
		fail("%s is more than half of the memory limit %d (%s): streams would find no room",
			histories, limit.Bytes, limit.Of)
	}
}

// checkTimes holds times against each other.
func (c *Config) checkTimes(fail setting.Fail) {
	if most := rule.RetryMax * time.Millisecond; c.Retry+c.RetryJitter > most {
		fail("--retry %v and --retry-jitter %v together are more than %v, the longest reconnection time that clients can keep",
			c.Retry, c.RetryJitter, most)
	}
	if c.Heartbeat > 0 && c.Lifetime > 0 && c.Heartbeat > c.Lifetime {
		fail("--heartbeat %v is more than --lifetime %v: there would never be one", c.Heartbeat,
			c.Lifetime)
	}
}

func (c *Config) checkRedis(fail setting.Fail) {
	odd := func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || r == '{' || r == '}'
	}
	if strings.ContainsFunc(c.Edge, odd) || !utf8.ValidString(c.Edge) { // it is written as JSON
		fail("--edge %q: expected a name of UTF-8 without blanks, control characters and braces, different for each node",
			c.Edge)
	}
	if c.Redis.URL == "" {
		if given := c.Redis.TLS; given != (redis.TLSFiles{}) {
			fail("%s without --redis: expected the URL of servers, rediss://…", given.Flags())
		}
		return
	}
	if err := redis.CheckTLS(c.Redis.URL, c.Redis.TLS); err != nil &&
		(c.Redis.Required || !errors.Is(err, redis.ErrExpired)) {
		fail("--redis: %w", err)
	}
	if c.Redis.TTL < c.HistoryAge {
		fail("--redis-ttl %v is less than --history-age %v: the events of a quiet topic would be gone before their time",
			c.Redis.TTL, c.HistoryAge)
	}
	if c.KeyTTL%time.Second != 0 {
		fail("--key-ttl %v: expected whole seconds with --redis", c.KeyTTL)
	}
}

func (c *Config) checkState(fail setting.Fail) {
	switch {
	case c.StateDir == "":
	case c.Redis.URL != "":
		fail("--state-dir %s with --redis: expected one of them, because history is kept there",
			c.StateDir)
	case c.DrainTimeout == 0:
		fail("--state-dir %s with --drain-timeout 0s: expected time in which it can be written",
			c.StateDir)
	}
}

// connectionFiles is how many descriptors all connections together may have, by RLIMIT_NOFILE; 0:
// it cannot be read. Incomplete heads have what streams and requests leave: the oldest goes when
// that is all taken.
func (c *Config) connectionFiles() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int(min(limit.Cur, 1<<31)) - c.reservedFiles()
}

// checkFiles compares what may be open at a time with RLIMIT_NOFILE, whose soft
// limit Go has raised to the hard one.
func (c *Config) checkFiles(fail setting.Fail) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return
	}
	other := c.reservedFiles() + c.HTTPConnectionsMax
	room := int64(min(limit.Cur, 1<<31)) - int64(other)
	if c.StreamsMax == 0 {
		if c.StreamsMax = int(room); room < 1 {
			fail("RLIMIT_NOFILE is %d and --http-connections-max %d: no file is left for a stream (ulimit -n)",
				limit.Cur, c.HTTPConnectionsMax)
		}
		return
	}
	if int64(c.StreamsMax) > room {
		fail("--streams-max %d needs %d open files (with %d for requests and the server itself), but RLIMIT_NOFILE is %d (ulimit -n, LimitNOFILE=)",
			c.StreamsMax, c.StreamsMax+other, other, limit.Cur)
	}
}
