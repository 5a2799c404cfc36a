package rule

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"ssedge/proto/sse"
)

// Limits are the bounds, in bytes. 0 is no bound, for gates that do not know the server's.
type Limits struct {
	TopicBytes int `type:"size" default:"256" range:"1..1MiB" metric:"topic_name_bytes_max" help:"Bytes of a topic's name."`
	EventBytes int `type:"size" default:"256KiB" range:"1..512MiB" metric:"event_bytes_max" help:"Bytes of an event, data and name."`
	KeyBytes   int `type:"size" default:"256" range:"1..512MiB" metric:"idempotency_key_bytes_max" help:"Bytes of an idempotency key."`
}

// EventBytesMax is the most that Limits.EventBytes may be set to: what a client must be ready for.
const EventBytesMax = 512 << 20

// RetryMax is the longest reconnection time, in milliseconds. Clients keep it in 32 bits: Node's
// timers take a longer one for 1 ms.
const RetryMax = 1<<31 - 1

// ReservedPrefix begins the names of events that are the server's own, as do the names in
// [Reserved]. Both are matched byte by byte, without white space around them, which some clients
// take away: Ssedge and GAP are names like any other.
const ReservedPrefix = "ssedge"

// Reserved are the other names that are the server's own, or an EventSource's: an event named
// error or open would fire its onerror or onopen.
var Reserved = [...]string{"gap", "open", "error"}

// OwnTopic begins the names of topics that are the server's own.
const OwnTopic = '$'

// What is what a check is about.
type What string

const (
	Topic What = "topic"
	Name  What = "event" // the event's name
	Data  What = "data"
	Size  What = "size" // of data and name together
	Key   What = "key"
	Retry What = "retry"
)

// Error is a refusal. Its text is one line.
type Error struct {
	What            What
	expected, found string
}

func (e *Error) Error() string { return "expected " + e.expected + ", found " + e.found }

// Expected says in words what the rule is.
func (l Limits) Expected(w What) string {
	atMost := func(n int, what, setting string) string {
		if n == 0 {
			return what
		}
		return fmt.Sprintf("at most %d bytes of %s (--%s)", n, what, setting)
	}
	switch w {
	case Topic:
		return "a topic name of " + atMost(l.TopicBytes, "UTF-8", "topic-bytes") +
			`, not empty, without control characters, not beginning with "$"`
	case Name:
		return `an event name of UTF-8 without NUL, CR or LF, none of "` +
			strings.Join(Reserved[:], `", "`) + `" and not beginning with "` + ReservedPrefix +
			`", which are the server's own, with or without white space around them`
	case Data:
		return "data of UTF-8"
	case Size:
		return atMost(l.EventBytes, "data and event name together", "event-bytes")
	case Key:
		return "an idempotency key of " + atMost(l.KeyBytes, "UTF-8", "key-bytes")
	default:
		return "a whole number of milliseconds from 1 to " + strconv.Itoa(RetryMax) +
			" as reconnection time (retry)"
	}
}

func (l Limits) refuse(w What, found string) error { return &Error{w, l.Expected(w), found} }

// Topic checks the name of a topic.
func (l Limits) Topic(name []byte) error {
	switch {
	case len(name) == 0, name[0] == OwnTopic, hasControls(name), !utf8.Valid(name):
		return l.refuse(Topic, Quote(name))
	case l.TopicBytes > 0 && len(name) > l.TopicBytes:
		return l.refuse(Topic, sized(name))
	}
	return nil
}

// hasControls reports whether there is a C0 character, DEL, or a C1 character. C1 are the two
// bytes C2 80 to C2 9F.
func hasControls(s []byte) bool {
	for i, c := range s {
		if c < 0x20 || c == 0x7f || c == 0xc2 && i+1 < len(s) && s[i+1] < 0xa0 {
			return true
		}
	}
	return false
}

// Event checks an event by its parts. A retryMS of 0 is none.
func (l Limits) Event(name, data []byte, retryMS int64) error {
	if n := len(name) + len(data); l.EventBytes > 0 && n > l.EventBytes {
		return l.refuse(Size, strconv.Itoa(n))
	}
	if !nameOK(name) {
		return l.refuse(Name, Quote(name))
	}
	if i := sse.InvalidUTF8(data); i >= 0 {
		return l.refuse(Data, fmt.Sprintf("%s at byte %d", Quote(data[i:i+1]), i))
	}
	if retryMS != 0 {
		return l.Retry(retryMS)
	}
	return nil
}

func nameOK(name []byte) bool {
	if len(name) == 0 {
		return true
	}
	plain := bytes.TrimFunc(name, isBlank) // as some clients hand it out
	for _, own := range Reserved {
		if string(plain) == own {
			return false
		}
	}
	return !bytes.HasPrefix(plain, []byte(ReservedPrefix)) &&
		!bytes.ContainsAny(name, "\x00\r\n") && utf8.Valid(name)
}

// isBlank reports whether some client takes r for white space: JavaScript's trim and Python's strip
// do.
func isBlank(r rune) bool { return r <= ' ' || r == '\ufeff' || unicode.IsSpace(r) }

// Key checks an idempotency key; an empty one is none.
func (l Limits) Key(key string) error {
	switch {
	case l.KeyBytes > 0 && len(key) > l.KeyBytes:
		return l.refuse(Key, sized([]byte(key)))
	case !utf8.ValidString(key):
		return l.refuse(Key, Quote([]byte(key)))
	}
	return nil
}

// Retry checks a reconnection time in milliseconds. Unlike in Event, 0 is refused.
func (l Limits) Retry(ms int64) error {
	if ms < 1 || ms > RetryMax {
		return l.refuse(Retry, strconv.FormatInt(ms, 10))
	}
	return nil
}

// ParseRetry reads a reconnection time: decimal digits, of which the first is not 0.
func (l Limits) ParseRetry(text []byte) (ms int64, err error) {
	for _, c := range text {
		if c < '0' || c > '9' || ms > RetryMax {
			return 0, l.refuse(Retry, Quote(text))
		}
		ms = ms*10 + int64(c-'0')
	}
	if len(text) == 0 || text[0] == '0' || ms > RetryMax {
		return 0, l.refuse(Retry, Quote(text))
	}
	return ms, nil
}

// quotedMax is how many bytes of what was found are shown.
const quotedMax = 80

// Quote returns text in quotes, cut to a bounded length. Bytes that are not text become \x and
// their number.
func Quote(text []byte) string {
	if len(text) <= quotedMax {
		return strconv.Quote(string(text))
	}
	end := quotedMax
	for end > quotedMax-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return strconv.Quote(string(text[:end])) + "…"
}

func sized(text []byte) string { return fmt.Sprintf("%s (%d bytes)", Quote(text), len(text)) }
