package redis

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"ssedge/engine/fanin"
	"ssedge/proto/eventid"
	"ssedge/proto/rule"
	"ssedge/proto/sse"
)

// The publish function: what it is made with are settings, a table that goes before it.
//
//go:embed publish.lua
var publishFunction string

// settings is the line before the publish function.
func (c *Config) settings(kind Kind) string {
	command := "PUBLISH"
	if kind == Cluster {
		command = "SPUBLISH"
	}
	return fmt.Sprintf("local settings = {events = '%d', age = '%d', ttl = '%d', key_ttl = '%d', command = '%s', prefix = %s, fan_in = '%s', %s%s}\n",
		c.HistoryEvents, c.HistoryAge.Milliseconds(), seconds(c.TTL), seconds(c.KeyTTL), command,
		luaString(c.Prefix), c.FanIn, c.partitionSettings(), ruleSettings(c.Rule))
}

// partitionSettings are the tags of all partitions, in one string: a table would be made anew with
// each call.
func (c *Config) partitionSettings() string {
	if c.FanIn != ByPartition {
		return ""
	}
	tags := partitionTags(c.Partitions)
	width := 0
	for _, tag := range tags {
		width = max(width, len(tag))
	}
	text := ""
	for _, tag := range tags {
		text += fmt.Sprintf("%-*s", width, tag)
	}
	return fmt.Sprintf("partitions = true, tag_width = %d, tags = '%s', ", width, text)
}

// ruleSettings is package rule for the script: its numbers, names and words.
func ruleSettings(l rule.Limits) string {
	text := fmt.Sprintf("topic_bytes = %d, event_bytes = %d, key_bytes = %d, retry_max = %d, own_topic = %s, own_prefix = %s, own = {",
		bound(l.TopicBytes), bound(l.EventBytes), bound(l.KeyBytes), int64(rule.RetryMax),
		luaString(string(rule.OwnTopic)), luaString(rule.ReservedPrefix))
	for _, name := range rule.Reserved {
		text += fmt.Sprintf("[%s] = true, ", luaString(name))
	}
	text += "}, expected = {"
	for _, w := range []rule.What{rule.Topic, rule.Name, rule.Data, rule.Size, rule.Key,
		rule.Retry} {
		text += fmt.Sprintf("%s = %s, ", w, luaString(l.Expected(w)))
	}
	return text + "}"
}

// bound is a bound in bytes; 0 is none, and Redis takes no strings beyond it.
func bound(n int) int {
	if n == 0 {
		return math.MaxInt32
	}
	return n
}

// luaString is a string as Lua 5.1 has it, of any bytes.
func luaString(s string) string {
	quoted := make([]byte, 0, len(s)+2)
	quoted = append(quoted, '"')
	for i := range len(s) {
		if c := s[i]; c >= ' ' && c < 127 && c != '"' && c != '\\' {
			quoted = append(quoted, c)
		} else {
			quoted = fmt.Appendf(quoted, "\\%03d", c)
		}
	}
	return string(append(quoted, '"'))
}

// seconds are whole ones, and no fewer than d: what is kept at Redis is kept for at least as long
// as edges reckon with.
func seconds(d time.Duration) int64 {
	return int64((max(d, time.Second) + time.Second - 1) / time.Second)
}

// Script is the text for EVAL, with the channel as the key, and data, the event's name, an
// idempotency key and a reconnection time as arguments.
func (c *Config) Script(kind Kind) string { return c.script(kind, "") }

func (c *Config) script(kind Kind, more string) string {
	return c.settings(kind) + more + publishFunction + "return ssedge_publish(KEYS, ARGV)\n"
}

// edgeScript is the script for an edge's own use: its answer has a third word if not all was
// written that goes with an event, and why.
func (c *Config) edgeScript(kind Kind) string { return c.script(kind, "settings.tells = true\n") }

// probeScript is the script for probes. It does what a publish does, on a topic of the server's
// own, whose stream is short and goes by itself. The topic's name is no client's: no bound of
// theirs holds for it.
func (c *Config) probeScript(kind Kind) string {
	short := *c
	short.HistoryEvents, short.TTL, short.Rule.TopicBytes, short.Rule.KeyBytes = 1,
		probeKept*c.ProbeInterval, 0, 0
	short.KeyTTL = short.TTL
	return short.script(kind, "settings.tells, settings.own_topic = true, ''\n")
}

// Library is the text for FUNCTION LOAD, with which
//
//	FCALL ssedge_publish 1 sse:news hello
//
// publishes from any client.
func (c *Config) Library(kind Kind) string {
	return "#!lua name=ssedge\n" + c.settings(kind) + publishFunction +
		"redis.register_function('ssedge_publish', ssedge_publish)\n"
}

// Key is the name of a topic's stream, which a publisher gives to the script.
func (c *Config) Key(topic string) string {
	n := newNames(c)
	return n.key(topic)
}

// Install loads the library on all masters, in place of an older one, and returns how many there
// are. Servers have one function of that name: one that was made for another prefix stays, and is
// an error, unless replace is set.
func (s *Source) Install(ctx context.Context, replace bool) (masters int, err error) {
	nodes := map[string]rueidis.Client{"the server": s.client}
	if s.target.kind == Cluster {
		if nodes, err = s.masters(ctx); err != nil {
			return 0, err
		}
	}
	if !replace {
		for name, node := range nodes {
			if prefix, ok := installedPrefix(ctx, node); ok &&
				prefix != luaString(s.config.Prefix) {
				return 0,
					fmt.Errorf("the function on %s is for --redis-prefix=%s, and there can be only one: expected --replace, or EVAL of the script (ssedge redis script)",
						name, prefix)
			}
		}
	}
	text := s.config.Library(s.target.kind)
	for name, node := range nodes {
		if err := node.Do(ctx, node.B().FunctionLoad().Replace().FunctionCode(text).Build()).
			Error(); err != nil {
			return masters, fmt.Errorf("%s: %w", name, err)
		}
		masters++
	}
	return masters, nil
}

// masters are the masters of a cluster, by address.
func (s *Source) masters(ctx context.Context) (map[string]rueidis.Client, error) {
	spans, err := s.readSlots(ctx)
	if err != nil {
		return nil, err
	}
	nodes, found := s.client.Nodes(), map[string]rueidis.Client{}
	for _, sp := range spans {
		node := nodes[sp.master]
		if node == nil {
			return nil, fmt.Errorf("no connection to %s", sp.master)
		}
		found[sp.master] = node
	}
	return found, nil
}

// installedPrefix is the prefix, in quotes, that the library on a server was made for; false if
// there is none. (That it cannot be read is no obstacle: loading will show it.)
func installedPrefix(ctx context.Context, node rueidis.Client) (prefix string, ok bool) {
	libraries, err := node.Do(ctx, node.B().FunctionList().Libraryname("ssedge").Withcode().
		Build()).ToArray()
	if err != nil || len(libraries) == 0 {
		return "", false
	}
	library, err := libraries[0].AsMap()
	if err != nil {
		return "", false
	}
	code := library["library_code"]
	text, err := code.ToString()
	_, rest, found := strings.Cut(text, ", prefix = ")
	prefix, _, ended := strings.Cut(rest, ", fan_in = ")
	return prefix, err == nil && found && ended
}

// ErrUnavailable is what a publisher gets while the servers cannot take an event. Whether they have
// taken it is not known if there was no answer: a publisher that comes back with the
// same idempotency key publishes it once.
var ErrUnavailable = errors.New("redis does not take the event")

// Publish publishes an event. The error is ErrUnavailable, wrapped.
func (s *Source) Publish(e *fanin.Event) (fanin.Receipt, error) {
	if !s.connected.Load() {
		return fanin.Receipt{}, fmt.Errorf("%w: it was never reached: %w", ErrUnavailable,
			fanin.ErrNotStored)
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.config.Timeout)
	defer cancel()
	sent, key := s.sending(string(e.Topic)), s.names.key(string(e.Topic))
	r, err := s.publish(ctx, key, e)
	if err != nil {
		s.counts.failed(opPublish, err)
		_, refused := rueidis.IsRedisErr(err)
		if !refused || ofTheServer(err) || passing(err) { // and not one topic's
			s.sign()
		}
		if refused { // the script refuses before it writes, or takes back what it wrote
			if n := s.masterOf(key); n != nil && ofTheServer(err) {
				n.refuses(err)
			}
			err = fmt.Errorf("%w: %w", withoutArguments(err), fanin.ErrNotStored)
		} else if neverSent(err) {
			err = fmt.Errorf("%w: %w", err, fanin.ErrNotStored)
		}
		return r, fmt.Errorf("%w: topic %s: %w", ErrUnavailable, rule.Quote(e.Topic),
			unpublished{err, key})
	}
	s.counts.published.Add(1)
	if n := s.masterOf(key); n != nil {
		n.writing.taken.Store(nanotime())
	}
	if !r.Duplicate {
		sent.acknowledged(r.ID)
	}
	return r, nil
}

// unpublished is why an event could not be published, with the key of its topic.
type unpublished struct {
	error
	key string
}

func (u unpublished) Unwrap() error { return u.error }

// Cause is of one topic if the refusal is.
func (u unpublished) Cause() string {
	if errorKind(u.error) == "wrongtype" {
		return "wrongtype " + u.key
	}
	return causeOf(u.error)
}

// publish runs the script.
func (s *Source) publish(ctx context.Context, key string, e *fanin.Event) (fanin.Receipt, error) {
	parts, err := sse.ParseBody(e.Body)
	if err != nil {
		return fanin.Receipt{}, err
	}
	retry := ""
	if parts.RetryMS > 0 {
		retry = strconv.FormatInt(parts.RetryMS, 10)
	}
	reply, err := s.script.Exec(ctx, s.client, []string{key}, []string{
		// Copies: a command that was given up may still be written, when e's buffer is another
		// event's.
		string(parts.Data), string(parts.Name), e.Key, retry,
	}).AsStrSlice()
	if err != nil {
		return fanin.Receipt{}, err
	}
	if len(reply) < 2 {
		return fanin.Receipt{},
			fmt.Errorf("redis: expected an id and a word from the publish script, found %q", reply)
	}
	id, ok := eventid.Parse([]byte(reply[0]))
	if !ok {
		return fanin.Receipt{},
			fmt.Errorf("redis: expected an id from the publish script, found %q", reply[0])
	}
	if len(reply) > 2 {
		s.notAllWritten(string(e.Topic), reply[2])
	}
	return fanin.Receipt{ID: id, Duplicate: reply[1] == "dup"}, nil
}

// notAllWritten tells of an event that was published while something that goes with it was not
// written: its idempotency key, the bounds of its history, or the time that this is kept.
func (s *Source) notAllWritten(topic, why string) {
	err := scriptError(why)
	s.counts.failed(opAfterPublish, err)
	s.troubles.afterPublish.fails(s.config.Logger, s.hinted, slog.LevelWarn,
		"an event was published, but Redis has not kept its idempotency key, or not bounded its history",
		err, "topic", rule.Quote([]byte(topic)))
}
