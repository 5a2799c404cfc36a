package sse

import (
	"math"
	"reflect"
	"strings"
	"testing"
)

func message(data, id string) Message {
	return Message{Event: "message", Data: data, LastEventID: id}
}

// What the standard says in words about its own examples, and the cases of the
// web platform tests (eventsource/format-*).
var standardCases = []struct {
	why    string
	stream string
	want   []Message
}{
	{"9.2.1, three messages",
		"data: This is the first message.\n\ndata: This is the second message, it\ndata: has two lines.\n\ndata: This is the third message.\n\n",
		[]Message{message("This is the first message.", ""),
			message("This is the second message, it\nhas two lines.", ""),
			message("This is the third message.", "")}},
	{"9.2.1, two event types",
		"event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\nevent: add\ndata: 113411\n\n",
		[]Message{{"add", "73857293", ""}, {"remove", "2153", ""}, {"add", "113411", ""}}},
	{"9.2.6, stock quote",
		"data: YHOO\ndata: +2\ndata: 10\n\n",
		[]Message{message("YHOO\n+2\n10", "")}},
	{"9.2.6, four blocks",
		": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
		[]Message{message("first event", "1"), message("second event", ""),
			message(" third event", "")}},
	{"9.2.6, four blocks, the last without its blank line",
		": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n",
		[]Message{message("first event", "1"), message("second event", "")}},
	{"9.2.6, empty data",
		"data\n\ndata\ndata\n\ndata:",
		[]Message{message("", ""), message("\n", "")}},
	{"9.2.6, the space is optional",
		"data:test\n\ndata: test\n\n",
		[]Message{message("test", ""), message("test", "")}},

	{"one BOM is skipped", "\uFEFFdata:1\n\n\uFEFFdata:2\n\ndata:3\n\n",
		[]Message{message("1", ""), message("3", "")}},
	{"a second BOM is not", "\uFEFF\uFEFFdata:1\n\ndata:2\n\n", []Message{message("2", "")}},
	{"half a BOM is not", "\xEF\xBBdata:1\n\ndata:2\n\n", []Message{message("2", "")}},
	{"a BOM before a blank line", "\uFEFF\ndata:1\n\n", []Message{message("1", "")}},
	{"a BOM after a blank line is none", "\n\uFEFFdata:1\n\n", nil},
	{"comments between lines",
		"data:1\r:\x00\n:\r\ndata:2\n:" + strings.Repeat("x", 2000) + "\rdata:3\n:data:fail\r:" +
			strings.Repeat("x", 2000) + "\ndata:4\n\n",
		[]Message{message("1\n2\n3\n4", "")}},
	{"field names are literal",
		"data:\x00\ndata:  2\rData:1\ndata\x00:2\ndata:1\r\x00data:4\nda-ta:3\rdata_5\ndata:3\rdata:\r\n data:32\ndata:4\n\n",
		[]Message{message("\x00\n 2\n1\n3\n\n4", "")}},
	{"CR, LF, CRLF", "data:1\r\rdata:2\n\ndata:3\r\n\r\ndata:4\r\n\rdata:5\n\r\ndata:6\r\r\n",
		[]Message{
			message("1", ""), message("2", ""), message("3", ""), message("4", ""),
			message("5", ""),
			message("6", "")}},
	{"CRLF LF is two ends", "data:1\r\n\ndata:2\r\n\n",
		[]Message{message("1", ""), message("2", "")}},
	{"LF CR is two ends", "data:1\n\rdata:2\n\n", []Message{message("1", ""), message("2", "")}},
	{"a tab is no space", "data:\ttest\rdata: \ndata:test\n\n",
		[]Message{message("\ttest\n\ntest", "")}},
	{"NUL in data", "data:\x00\n\n\n\n", []Message{message("\x00", "")}},
	{"NUL in an event name", "event:a\x00\ndata:1\n\n", []Message{{"a\x00", "1", ""}}},
	{"the last name counts", "event:a\nevent:b\ndata:1\n\n", []Message{{"b", "1", ""}}},
	{"an empty name is none", "event:a\nevent\ndata:1\n\n", []Message{message("1", "")}},
	{"a name lasts one block", "event:a\n\ndata:1\n\n", []Message{message("1", "")}},
	{"an id lasts", "id:1\ndata:1\n\ndata:2\n\nid\ndata:3\n\n",
		[]Message{message("1", "1"), message("2", "1"), message("3", "")}},
	{"an id with NUL is ignored", "id:1\n\nid:2\x00\ndata:1\n\n", []Message{message("1", "1")}},
	{"an id without data counts", "id:7\n\ndata:1\n\n", []Message{message("1", "7")}},
	{"a colon in a value", "data:a:b: c\n\n", []Message{message("a:b: c", "")}},
	{"broken UTF-8", "data:a\xe2\x82\ndata:\xf0\x80\x80b\nevent:\xff\nid:\xed\xa0\n\n", []Message{
		{"\uFFFD", "a\uFFFD\n\uFFFD\uFFFD\uFFFDb", "\uFFFD\uFFFD"}}},
	{"UTF-8 cut by chunks", "data:€𝄞é\n\n", []Message{message("€𝄞é", "")}},
	{"nothing", "", nil},
	{"blank lines", "\n\n\r\r\n", nil},
}

func TestDecoderFollowsTheStandard(t *testing.T) {
	for _, c := range standardCases {
		t.Run(c.why, func(t *testing.T) {
			stream := []byte(c.stream)
			if len(stream) < 500 {
				checkEverySplit(t, stream)
			}
			if got := read(&Decoder{}, stream); !reflect.DeepEqual(got.messages, c.want) {
				t.Errorf("%q whole gave %q, want %q", stream, got.messages, c.want)
			}
			if got := read(&Decoder{}, bytewise(stream)...); !reflect.DeepEqual(got.messages,
				c.want) {
				t.Errorf("%q byte by byte gave %q, want %q", stream, got.messages, c.want)
			}
		})
	}
}

func TestRetry(t *testing.T) {
	for _, c := range []struct {
		stream string
		want   int64
		ok     bool
	}{
		{"", 0, false},
		{"data:1\n\n", 0, false},
		{"retry:3000\n", 3000, true}, // at once, not at the blank line
		{"retry: 3000\n\n", 3000, true},
		{"retry:0\n", 0, true},
		{"retry:007\n", 7, true},
		{"retry:1\nretry:2\n", 2, true},
		{"retry:3000\nretry:1000x\n", 3000, true},
		{"retry:3000\nretry\n", 3000, true},
		{"retry:3000\nretry:\n", 3000, true},
		{"retry:-1\n", 0, false},
		{"retry:+1\n", 0, false},
		{"retry:1.5\n", 0, false},
		{"retry:  1\n", 0, false},
		{"retry:1 \n", 0, false},
		{"retry:1e3\n", 0, false},
		{"retry:١\n", 0, false},
		{"Retry:1\n", 0, false},
		{"retry:5", 0, false}, // no line yet
		{"retry:9223372036854775807\n", math.MaxInt64, true},
		{"retry:9223372036854775808\n", math.MaxInt64, true},
		{"retry:92233720368547758070000\n", math.MaxInt64, true},
		{"retry:92233720368547758070000x\n", 0, false},
	} {
		checkEverySplit(t, []byte(c.stream))
		var d Decoder
		read(&d, []byte(c.stream))
		if got, ok := d.RetryMS(); got != c.want || ok != c.ok {
			t.Errorf("%q asks for %d, %v, want %d, %v", c.stream, got, ok, c.want, c.ok)
		}
	}
}

// Vectors of the Unicode standard (table 3-8 and around) for how many U+FFFD a
// broken sequence gives.
func TestBrokenUTF8IsReplacedByMaximalPrefixes(t *testing.T) {
	for in, want := range map[string]string{
		"\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41":             "????????A",
		"\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41":             "????????A",
		"\xf4\x91\x92\x93\xff\x41\x80\xbf\x42":             "?????A??B",
		"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41":             "????A",
		"\x61\xf1\x80\x80\xe1\x80\xc2\x62\x80\x63\x80\xbf": "a???b?c??",
		"\xf5\x80\x80\xf8\x80":                             "?????",
		"\xef\xbf\xbd":                                     "?",
		"\xf4\x8f\xbf":                                     "?",
		"\xe2\x82":                                         "?",
		"é\xe9é":                                           "é?é",
	} {
		want = strings.ReplaceAll(want, "?", "\uFFFD")
		if got := string(appendUTF8(nil, []byte(in))); got != want {
			t.Errorf("%q decodes to %q, want %q", in, got, want)
		}
		if got := naiveUTF8([]byte(in)); got != want {
			t.Errorf("naive twin: %q decodes to %q, want %q", in, got, want)
		}
	}
}
