package envelope

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"ssedge/proto/eventid"
)

// Message is an event on its way. The slices are parts of what was parsed.
type Message struct {
	ID      eventid.ID // zero in a raw message
	Prev    eventid.ID // of the event before it in its topic; zero: it is the first one
	Topic   []byte     // of the event, as its publisher writes it; nil: the channel says it
	Event   []byte     // its name; may be empty
	Data    []byte
	RetryMS int64 // above 0: the reconnection time that comes with it
}

// Raw reports whether m came without an envelope: it has no place in its topic.
func (m *Message) Raw() bool { return m.ID.IsZero() }

// What [Parse] finds, wrapped with what it found.
var (
	ErrVersion = errors.New("envelope: expected version s1 or s2")
	ErrHeader  = errors.New(`envelope: expected "id prev bytes-of-event[ bytes-of-topic][ retry]" and a line feed`)
)

const (
	version      = "\x00s1 "
	versionTopic = "\x00s2 " // as long
)

// Append appends m in its envelope. m must have an id.
func Append(dst []byte, m *Message) []byte {
	if m.Topic != nil {
		dst = append(dst, versionTopic...)
	} else {
		dst = append(dst, version...)
	}
	dst = append(m.ID.Append(dst), ' ')
	dst = append(m.Prev.Append(dst), ' ')
	dst = strconv.AppendInt(dst, int64(len(m.Event)), 10)
	if m.Topic != nil {
		dst = strconv.AppendInt(append(dst, ' '), int64(len(m.Topic)), 10)
	}
	if m.RetryMS > 0 {
		dst = append(dst, ' ')
		dst = strconv.AppendInt(dst, m.RetryMS, 10)
	}
	dst = append(append(dst, '\n'), m.Topic...)
	return append(append(dst, m.Event...), m.Data...)
}

// headerBytesMax bounds the header line: two ids, two numbers and what is between them.
const headerBytesMax = 2*eventid.MaxPositionBytes + 3*19 + 5

// Parse reads a message with or without an envelope. b is not changed; the message's slices are
// parts of it. The error is [ErrVersion] or [ErrHeader], wrapped; the message then has its id only,
// if nothing but the reconnection time is wrong.
func Parse(b []byte) (Message, error) {
	if len(b) == 0 || b[0] != 0 {
		return Message{Data: b}, nil
	}
	hasTopic := bytes.HasPrefix(b, []byte(versionTopic))
	if !hasTopic && !bytes.HasPrefix(b, []byte(version)) {
		return Message{}, fmt.Errorf("%w, found %q", ErrVersion, b[:min(len(b), len(version))])
	}
	b = b[len(version):]
	header, _, ok := bytes.Cut(b[:min(len(b), headerBytesMax)], []byte{'\n'})
	if !ok {
		return Message{ID: idOf(b[:min(len(b), headerBytesMax)])},
			fmt.Errorf("%w, found %.80q", ErrHeader, b)
	}
	body := b[len(header)+1:]
	var m Message
	id, rest, _ := bytes.Cut(header, space)
	prev, rest, _ := bytes.Cut(rest, space)
	size, rest, more := bytes.Cut(rest, space)
	topicBytes, topicOK := int64(0), true
	if hasTopic {
		var text []byte
		text, rest, more = bytes.Cut(rest, space)
		topicBytes, topicOK = number(text)
		topicOK = topicOK && topicBytes > 0
	}
	idOK, prevOK := false, false
	m.ID, idOK = eventid.Parse(id)
	m.Prev, prevOK = eventid.Parse(prev)
	n, sizeOK := number(size)
	retryOK := !more
	if more {
		m.RetryMS, retryOK = number(rest)
		retryOK = retryOK && m.RetryMS > 0
	}
	if !idOK || !prevOK || !sizeOK || !topicOK || m.ID.IsZero() || !m.Prev.Less(m.ID) ||
		n > int64(len(body))-topicBytes {
		return Message{}, fmt.Errorf("%w, found %q with %d bytes behind it", ErrHeader, header,
			len(body))
	}
	if !retryOK {
		return Message{ID: m.ID}, fmt.Errorf("%w, found %q with %d bytes behind it", ErrHeader,
			header, len(body))
	}
	if hasTopic {
		m.Topic, body = body[:topicBytes], body[topicBytes:]
	}
	m.Event, m.Data = body[:n], body[n:]
	return m, nil
}

var space = []byte{' '}

// idOf is the id that a header begins with; zero if it does not begin with one.
func idOf(header []byte) eventid.ID {
	id, _, _ := bytes.Cut(header, space)
	parsed, _ := eventid.Parse(id)
	return parsed
}

// number reads a decimal number as [strconv.AppendInt] writes it, from 0 on.
func number(s []byte) (int64, bool) {
	if len(s) == 0 || len(s) > 18 || s[0] == '0' && len(s) > 1 {
		return 0, false
	}
	var n int64
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
