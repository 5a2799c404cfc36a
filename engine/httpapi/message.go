package httpapi

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/bytebufferpool"

	"ssedge/engine/fanin"
	"ssedge/engine/intake"
	"ssedge/proto/sse"
)

// message is an event as publishers write it in JSON. The library refuses what
// could be read two ways or would be changed in silence: a member given twice,
// text that is not UTF-8, half a surrogate pair.
type message struct {
	Topic string         `json:"topic"`
	Data  jsontext.Value `json:"data"` // a string, or any other value: then its compact text
	Event string         `json:"event"`
	Retry *int64         `json:"retry"` // milliseconds
	Key   string         `json:"key"`
}

// MessageLimits bounds what one event may be.
type MessageLimits struct {
	EventBytes int // of data and event name together
	TopicBytes int
	KeyBytes   int
}

const expectedMembers = `expected {"topic":…,"data":…} and perhaps "event", "retry", "key"`

// jsonBlanks may stand around a value (RFC 8259 2).
const jsonBlanks = " \t\r\n"

// decode reads one message.
func decode(text []byte) (*message, *problem) {
	m := &message{}
	if err := json.Unmarshal(text, m, json.RejectUnknownMembers(true)); err != nil {
		return nil, bad("bad_json", "%s; %s", expectedMembers, jsonError(err))
	}
	return m, nil
}

// jsonError says what is wrong without the library's words about itself and Go.
func jsonError(err error) string {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		return strings.TrimPrefix(syntax.Error(), "jsontext: ")
	}
	var semantic *json.SemanticError
	switch {
	case !errors.As(err, &semantic):
		return strings.TrimPrefix(err.Error(), "json: ")
	case errors.Is(err, json.ErrUnknownName):
		return fmt.Sprintf("found an unknown member %.80q", semantic.JSONPointer.LastToken())
	case semantic.JSONPointer == "":
		return "found " + kindNames[semantic.JSONKind]
	case semantic.GoType == reflect.TypeFor[int64]():
		return fmt.Sprintf("expected %q to be a whole number, found %.40s", semantic.JSONPointer.LastToken(), found(semantic))
	}
	return fmt.Sprintf("expected %q to be a string, found %s", semantic.JSONPointer.LastToken(), kindNames[semantic.JSONKind])
}

func found(e *json.SemanticError) string {
	if e.JSONValue != nil {
		return string(e.JSONValue)
	}
	return kindNames[e.JSONKind]
}

var kindNames = map[jsontext.Kind]string{
	'n': "null", 'f': "false", 't': "true", '"': "a string", '0': "a number", '{': "an object", '[': "an array",
}

// draft is an event that was checked and put into wire form.
type draft struct {
	event fanin.Event
	body  *bytebufferpool.ByteBuffer
}

var bodies bytebufferpool.Pool

// drop gives the body's buffer back.
func (d *draft) drop() {
	if d.body != nil {
		bodies.Put(d.body)
		d.body = nil
	}
}

// draft checks the message and encodes it.
func (m *message) draft(lim *MessageLimits) (draft, *problem) {
	if m.Data == nil {
		return draft{}, bad("no_data", `expected "data": a string, or any JSON value to be sent as its text`)
	}
	data, p := m.text()
	if p != nil {
		return draft{}, p
	}
	e := sse.Event{Name: []byte(m.Event), Data: data}
	if m.Retry != nil {
		if *m.Retry <= 0 {
			return draft{}, bad("bad_retry", `expected "retry" to be a positive number of milliseconds, found %d`, *m.Retry)
		}
		e.RetryMS = *m.Retry
	}
	return newDraft(m.Topic, m.Key, &e, lim)
}

// text is the data as it is sent.
func (m *message) text() ([]byte, *problem) {
	if m.Data.Kind() == '"' {
		text, err := jsontext.AppendUnquote(nil, m.Data)
		if err != nil {
			return nil, bad("bad_json", "data: %s", jsonError(err))
		}
		return text, nil
	}
	if err := m.Data.Compact(); err != nil {
		return nil, bad("bad_json", "data: %s", jsonError(err))
	}
	return m.Data, nil
}

// gapName is the name of the events in which shards tell of gaps.
const gapName = "gap"

// newDraft is the one gate that every published event passes, in whatever form it
// came.
func newDraft(topic, key string, e *sse.Event, lim *MessageLimits) (draft, *problem) {
	name := []byte(topic)
	switch {
	case topic == "":
		return draft{}, bad("no_topic", `expected a topic: "topic" in the JSON`)
	case !intake.ValidTopic(name, lim.TopicBytes):
		return draft{}, bad("bad_topic", "expected a topic name of at most %d bytes of UTF-8 without control characters, found %.80q (%d bytes)", lim.TopicBytes, topic, len(topic))
	case len(key) > lim.KeyBytes:
		return draft{}, bad("bad_key", "key is %d bytes; at most %d are taken (--key-bytes)", len(key), lim.KeyBytes)
	case !utf8.ValidString(key):
		return draft{}, bad("bad_key", "expected a key of UTF-8, found %.80q", key)
	}
	if n := len(e.Data) + len(e.Name); n > lim.EventBytes {
		return draft{}, tooLarge("the event (its data and name)", int64(n), int64(lim.EventBytes), "event-bytes")
	}
	if string(e.Name) == gapName {
		return draft{}, bad("bad_event", "the event name %q is the server's own: it tells subscribers that events are missing", gapName)
	}
	if err := e.Check(); err != nil {
		return draft{}, bad("bad_event", "%s", strings.TrimPrefix(err.Error(), "sse: "))
	}
	body := bodies.Get()
	body.B = sse.AppendBody(body.B[:0], e)
	return draft{fanin.Event{Topic: name, Body: body.B, Key: key}, body}, nil
}
