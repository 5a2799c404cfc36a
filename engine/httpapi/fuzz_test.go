package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"ssedge/engine/auth"
	"ssedge/engine/fanin"
	"ssedge/engine/intake"
	"ssedge/proto/eventid"
	"ssedge/proto/rule"
	"ssedge/proto/sse"
)

// kept is a source that keeps what it is given.
type kept struct{ events []fanin.Event }

func (k *kept) Publish(e *fanin.Event) (fanin.Receipt, error) {
	k.events = append(k.events, fanin.Event{Topic: bytes.Clone(e.Topic), Body: bytes.Clone(e.Body),
		Key: e.Key})
	return fanin.Receipt{ID: eventid.ID{MS: 1, Seq: uint64(len(k.events))}}, nil
}

func newFuzzed() (*Public, *kept) {
	k := &kept{}
	return NewPublic(PublicConfig{
		Admission: intake.NewAdmission(intake.AdmissionConfig{}), Authorizer: auth.Open(),
		Source: k,
		Rule:   rule.Limits{EventBytes: 1 << 16, TopicBytes: 64, KeyBytes: 64},
		BodyLimits: BodyLimits{BodyBytes: 1 << 18, PublishBytes: RequestBytesMax(1<<18, 1<<16),
			BodyTimeout: time.Second},
		Draining: func() bool { return false }, Refused: func(string) {},
	}), k
}

// decoded is what a subscriber makes of an event in the log.
func decoded(t *testing.T, e *fanin.Event) sse.Message {
	t.Helper()
	var got []sse.Message
	var d sse.Decoder
	wire := sse.AppendID(bytes.Clone(e.Body), []byte("1-0"))
	if err := d.Feed(wire, func(m sse.Message) { got = append(got, m) }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].LastEventID != "1-0" || !utf8.Valid(wire) {
		t.Fatalf("%q is read as %+v", wire, got)
	}
	return got[0]
}

// asStandard reads the same text with the standard library, which is more lenient.
func asStandard(t *testing.T, text []byte) (topic, data, event string) {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatalf("accepted, but %q is no object: %v", text, err)
	}
	for name, into := range map[string]*string{"topic": &topic, "event": &event} {
		if raw, ok := members[name]; ok {
			if err := json.Unmarshal(raw, into); err != nil {
				t.Fatal(err)
			}
		}
	}
	if raw := bytes.TrimSpace(members["data"]); raw[0] == '"' {
		if err := json.Unmarshal(raw, &data); err != nil {
			t.Fatal(err)
		}
	} else {
		var compact bytes.Buffer
		if err := json.Compact(&compact, raw); err != nil {
			t.Fatal(err)
		}
		data = compact.String()
	}
	return topic, data, event
}

var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// Whatever JSON is accepted arrives as what it says, the same in all three forms;
// whatever is not is refused with a reason.
func FuzzPublishJSON(f *testing.F) {
	for _, seed := range []string{
		`{"topic":"t","data":"x"}`,
		`{"topic":"t","data":"a\r\nb\rc\n","event":"e","retry":5,"key":"k"}`,
		`{"topic":"\u00e4","data":[1e400, {"a" : "\u2028"}]}`, `{"topic":"t","data":null}`,
		`{"data":"\ud83d\ude00","topic":"t"}`,
		`{"topic":"t","data":"\ud800"}`, `{"topic":"t","data":1,"data":2}`,
		`{"topic":"t","data":"\u0000: id: x\n\n"}`,
		`[{"topic":"t","data":1}]`, `[]`, `{`, ``, `null`, "{\"topic\":\"t\",\"data\":\"\xff\"}",
		`{"topic":"t","event":"a\nb","data":""}`,
		`{"topic":"t","data":-0.0e-0}`, " \t{\"topic\":\"t\",\"data\":\"\ufeff\"}\r\n",
		`{"topic":"t","retry":null,"data":0}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, k := newFuzzed()
		post := func(contentType string, body []byte) int {
			k.events = nil
			r := httptest.NewRequest("POST", "/publish", bytes.NewReader(body))
			r.Header.Set("Content-Type", contentType)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code != 200 && (!json.Valid(w.Body.Bytes()) || len(k.events) > 0 &&
				contentType == "application/json") {
				t.Fatalf("%d %q, %d events", w.Code, w.Body, len(k.events))
			}
			return w.Code
		}
		code := post("application/json", text)
		if trimmed := bytes.TrimLeft(text, jsonBlanks); len(trimmed) > 0 && trimmed[0] == '[' {
			var items []json.RawMessage
			if code != 200 {
				return
			}
			if err := json.Unmarshal(text, &items); err != nil || len(items) != len(k.events) {
				t.Fatalf("%d events of %q: %v", len(k.events), text, err)
			}
			for i := range items {
				check(t, items[i], &k.events[i])
			}
			return
		}
		if code == 200 {
			check(t, text, &k.events[0])
		}
		if array := post("application/json",
			append(append([]byte("["), text...), ']')); code == 200 && array != 200 {
			t.Fatalf("%q is taken (%d), in an array it is not (%d)", text, code, array)
		}
		if bytes.ContainsAny(text, "\n\r") || len(bytes.Trim(text, jsonBlanks)) == 0 {
			return
		}
		if line := post("application/x-ndjson", text); (code == 200) != (line == 200) {
			t.Fatalf("%q: %d, as a line %d", text, code, line)
		}
	})
}

func check(t *testing.T, text []byte, e *fanin.Event) {
	t.Helper()
	topic, data, event := asStandard(t, text)
	if event == "" {
		event = "message"
	}
	if m := decoded(t, e); string(e.Topic) != topic || m.Data != lineEnds.Replace(data) ||
		m.Event != event {
		t.Fatalf("%q arrived at %q as %+v", text, e.Topic, m)
	}
}
