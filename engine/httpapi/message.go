package httpapi

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/bytebufferpool"

	"ssedge/engine/fanin"
	"ssedge/engine/refuse"
	"ssedge/proto/rule"
	"ssedge/proto/sse"
)

// message is an event as publishers write it in JSON. The library refuses what
// could be read two ways or would be changed in silence: a member given twice,
// text that is not UTF-8, half a surrogate pair.
type message struct {
	Topic string         `json:"topic"`
	Data  jsontext.Value `json:"data"` // a string, or any other value: then its compact text
	Event string         `json:"event"`
	Retry jsontext.Value `json:"retry"` // milliseconds: a number as package rule has it
	Key   string         `json:"key"`
}

const expectedMembers = `expected {"topic":…,"data":…} and perhaps "event", "retry", "key"`

// jsonBlanks may stand around a value (RFC 8259 2).
const jsonBlanks = " \t\r\n"

// decode reads one message, which is valid until the next one is read.
func (ds *drafts) decode(text []byte) (*message, *refuse.Answer) {
	m := &ds.message
	*m = message{Data: m.Data[:0], Retry: m.Retry[:0]}
	if p := ds.share.grow((*[]byte)(&m.Data), len(text)); p != nil { // as much as that is copied
		return nil, p
	}
	if err := json.Unmarshal(text, m, json.RejectUnknownMembers(true)); err != nil {
		return nil, causeBadJSON.Say("%s; %s", expectedMembers, jsonError(err))
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
	}
	return fmt.Sprintf("expected %q to be a string, found %s", semantic.JSONPointer.LastToken(),
		kindNames[semantic.JSONKind])
}

var kindNames = map[jsontext.Kind]string{
	'n': "null", 'f': "false", 't': "true", '"': "a string", '0': "a number", '{': "an object",
	'[': "an array",
}

// drafts are the events of one request, checked and put into wire form, in one pooled
// buffer for all of them: a buffer for each would be as large as the pool's usual
// event, and an array can have very many small ones.
type drafts struct {
	rule  rule.Limits
	share *share
	text  *bytebufferpool.ByteBuffer // of each event its topic, its key and its body
	all   []draft

	message message // that was read last
	data    []byte  // of a message, if that is a string
}

// draft is where the parts of an event end in drafts.text. They begin where the one before ends.
type draft struct{ from, topic, key, body uint32 }

const draftBytes = int(unsafe.Sizeof(draft{}))

func newDrafts(l rule.Limits, of *share) *drafts {
	return &drafts{rule: l, share: of, text: buffers.Get()}
}

// drop gives the buffer back: no event of these may be used any more.
func (ds *drafts) drop() { recycle(ds.text) }

// reset forgets the events, so that others can take their place.
func (ds *drafts) reset() { ds.all, ds.text.B = ds.all[:0], ds.text.B[:0] }

// event is number i; valid until more are added.
func (ds *drafts) event(i int) fanin.Event {
	d, text := &ds.all[i], ds.text.B
	return fanin.Event{Topic: text[d.from:d.topic:d.topic], Key: string(text[d.topic:d.key]),
		Body: text[d.key:d.body:d.body]}
}

// addMessage checks a message and adds it.
func (ds *drafts) addMessage(m *message) *refuse.Answer {
	if len(m.Data) == 0 {
		return causeNoData.Say(`expected "data": a string, or any JSON value to be sent as its text`)
	}
	data, p := ds.textOf(m)
	if p != nil {
		return p
	}
	e := sse.Event{Name: []byte(m.Event), Data: data}
	if len(m.Retry) > 0 && m.Retry.Kind() != 'n' {
		ms, err := ds.rule.ParseRetry(m.Retry)
		if err != nil {
			return broken(err)
		}
		e.RetryMS = ms
	}
	return ds.add(m.Topic, m.Key, &e)
}

// textOf is the data as it is sent, valid until the next message is read.
func (ds *drafts) textOf(m *message) ([]byte, *refuse.Answer) {
	if m.Data.Kind() == '"' {
		if p := ds.share.grow(&ds.data,
			min(len(m.Data), ds.rule.EventBytes+smallBuffer)); p != nil {
			return nil, p
		}
		text, err := jsontext.AppendUnquote(ds.data[:0], m.Data)
		if err != nil {
			return nil, causeBadJSON.Say("data: %s", jsonError(err))
		}
		return text, nil
	}
	if err := m.Data.Compact(); err != nil {
		return nil, causeBadJSON.Say("data: %s", jsonError(err))
	}
	return m.Data, nil
}

// causes are the metric labels of what breaks the rule.
var causes = map[rule.What]refuse.Cause{
	rule.Topic: causeBadTopic, rule.Name: causeBadEvent, rule.Data: causeBadEvent,
	rule.Size: causeTooLarge, rule.Key: causeBadKey, rule.Retry: causeBadRetry,
}

// broken is the refusal of what breaks the rule; nil if nothing does.
func broken(err error) *refuse.Answer {
	var refused *rule.Error
	if !errors.As(err, &refused) {
		return nil
	}
	return causes[refused.What].Say("%s", refused)
}

// add is the one gate that every published event passes, in whatever form it came.
func (ds *drafts) add(topic, key string, e *sse.Event) *refuse.Answer {
	if topic == "" {
		return causeNoTopic.Say(`expected a topic: "topic" in the JSON`)
	}
	name := []byte(topic)
	for _, err := range [...]error{ds.rule.Topic(name), ds.rule.Key(key),
		ds.rule.Event(e.Name, e.Data, e.RetryMS)} {
		if p := broken(err); p != nil {
			return p
		}
	}
	if p := ds.share.grow(&ds.text.B, len(topic)+len(key)+sse.BodyBytesMax(e)); p != nil {
		return p
	}
	if len(ds.all) == cap(ds.all) {
		if p := ds.share.add(draftBytes * len(ds.all)); p != nil { // it grows by as much at most
			return p
		}
	}
	d := draft{from: uint32(len(ds.text.B))}
	ds.text.B = append(ds.text.B, topic...)
	d.topic = uint32(len(ds.text.B))
	ds.text.B = append(ds.text.B, key...)
	d.key = uint32(len(ds.text.B))
	ds.text.B = sse.AppendBody(ds.text.B, e)
	d.body = uint32(len(ds.text.B))
	ds.all = append(ds.all, d)
	return nil
}
