package sse

import (
	"encoding/json"
	"testing"
)

// TestJSONHasWhatTheDecoderHandsOut: the same name, data and id, whatever the data.
func TestJSONHasWhatTheDecoderHandsOut(t *testing.T) {
	for _, data := range []string{"", "x", "a\nb", "\n", "\n\n", " a", "a\r\nb\rc\n",
		"\"\\\u2028\x01<&>",
		"ä€😀", `{"a":1}`, ":", "data: x\nid: 7", "\ufeff"} {
		for _, name := range []string{"", "price", "a:b", " x"} {
			for _, id := range []string{"", "12-3"} {
				body := AppendBody(nil, &Event{Name: []byte(name), Data: []byte(data), RetryMS: 7})
				var want Message
				var d Decoder
				if err := d.Feed(AppendID(append([]byte(nil), body...), []byte(id)),
					func(m Message) { want = m }); err != nil {
					t.Fatal(err)
				}
				text := AppendJSON([]byte("["), `a"b`, body, []byte(id))
				var got []struct {
					ID, Topic, Data string
					Event           *string
				}
				if err := json.Unmarshal(append(text, ']'), &got); err != nil || len(got) != 1 {
					t.Fatalf("%s: %v", text, err)
				}
				event := "message"
				if got[0].Event != nil {
					event = *got[0].Event
				}
				if got[0].Topic != `a"b` || got[0].ID != want.LastEventID ||
					event != want.Event || got[0].Data != want.Data ||
					(name == "") != (got[0].Event == nil) {
					t.Errorf("data %q, name %q: found %s, expected %+v", data, name, text, want)
				}
			}
		}
	}
}

func TestJSONDoesNotAllocate(t *testing.T) {
	body := AppendBody(nil, &Event{Name: []byte("n"), Data: []byte("a\nb\"")})
	dst := make([]byte, 0, 1000)
	id := []byte("1-0")
	if n := testing.AllocsPerRun(100, func() {
		dst = AppendJSON(dst[:0], "topic", body, id)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
