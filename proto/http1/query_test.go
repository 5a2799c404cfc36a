package http1

import (
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func pairs(query string) (list [][2]string) {
	for key, value, rest, ok := NextPair([]byte(query)); ok; key, value, rest, ok = NextPair(rest) {
		list = append(list, [2]string{string(key), string(value)})
	}
	return list
}

func TestNextPairCutsInOrderAndSkipsEmptyPairs(t *testing.T) {
	tests := []struct {
		query string
		want  [][2]string
	}{
		{"", nil},
		{"&", nil},
		{"a", [][2]string{{"a", ""}}},
		{"a=", [][2]string{{"a", ""}}},
		{"=", [][2]string{{"", ""}}},
		{"=b", [][2]string{{"", "b"}}},
		{"a=b=c&&a=%26+", [][2]string{{"a", "b=c"}, {"a", "%26+"}}},
		{"&a&b=c&", [][2]string{{"a", ""}, {"b", "c"}}},
		{"a;b=c", [][2]string{{"a;b", "c"}}},
	}
	for _, test := range tests {
		if got := pairs(test.query); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q: %q, want %q", test.query, got, test.want)
		}
	}
	key, value, _, _ := NextPair([]byte("a=b&c=d"))
	if cap(key) != 1 || cap(value) != 1 {
		t.Error("appending to a key or value would write over the query")
	}
}

func TestAppendUnescapedDecodesForms(t *testing.T) {
	tests := []struct {
		in, want string
		ok       bool
	}{
		{"", "", true},
		{"a+b", "a b", true},
		{"a%2Bb%2f%C3%a4", "a+b/ä", true},
		{"%00%ff", "\x00\xff", true},
		{"a%", "", false},
		{"a%4", "", false},
		{"%4g", "", false},
		{"%g4", "", false},
		{"ab%%41", "", false},
		{"%+41", "", false},
	}
	for _, test := range tests {
		got, ok := AppendUnescaped([]byte("dst"), []byte(test.in))
		if string(got) != "dst"+test.want || ok != test.ok {
			t.Errorf("%q: %q, %v; want %q, %v", test.in, got, ok, "dst"+test.want, test.ok)
		}
	}
}

func TestCheckQueryFindsWhatCouldBeReadInTwoWays(t *testing.T) {
	for query, want := range map[string]*Error{
		"": nil, "a=b&c": nil, "a=%3b&b=%41": nil,
		";": errQuerySemicolon, "a=b;c=d": errQuerySemicolon, "a=b&c=d;": errQuerySemicolon,
		"%": errQueryEscape, "a=%4": errQueryEscape, "a=%4g": errQueryEscape,
		"%&41": errQueryEscape, "a%=b": errQueryEscape,
	} {
		if got := CheckQuery([]byte(query)); got != want {
			t.Errorf("%q: %v, want %v", query, got, want)
		}
	}
}

func FuzzQuery(f *testing.F) {
	for _, seed := range []string{"", "a=b&c=d", "topic=a%2Fb&topic=c+d", "a;b", "&&a==b&", "%",
		"%4", "%zz", "=%00&\xff", "+=%2B"} {
		f.Add(seed)
	}
	f.Add(strings.Repeat("a&", 10_001))
	// no bound on pairs: here the target's length bounds them
	f.Setenv("GODEBUG", "urlmaxqueryparams=0")
	f.Fuzz(func(t *testing.T, query string) {
		want, wantErr := url.QueryUnescape(query)
		got, ok := AppendUnescaped([]byte("dst"), []byte(query))
		if ok != (wantErr == nil) || string(got) != "dst"+want {
			t.Fatalf("unescaped: %q, %v; net/url: %q, %v", got, ok, want, wantErr)
		}

		values, parseErr := url.ParseQuery(query)
		if err := CheckQuery([]byte(query)); (err == nil) != (parseErr == nil) {
			t.Fatalf("check: %v; net/url: %v", err, parseErr)
		}
		if parseErr != nil {
			return
		}
		ours := url.Values{}
		for _, pair := range pairs(query) {
			key, ok1 := AppendUnescaped(nil, []byte(pair[0]))
			value, ok2 := AppendUnescaped(nil, []byte(pair[1]))
			if !ok1 || !ok2 {
				t.Fatalf("checked, and yet cannot be decoded: %q", pair)
			}
			ours[string(key)] = append(ours[string(key)], string(value))
		}
		if !reflect.DeepEqual(ours, values) {
			t.Fatalf("pairs: %q; net/url: %q", ours, values)
		}
	})
}

// The query of every accepted head decodes: Parse has checked its escapes.
func TestQueryOfAnAcceptedHeadDecodes(t *testing.T) {
	var p Parser
	var h Head
	if _, done, err := p.Parse([]byte(chrome), &DefaultLimits, &h); !done || err != nil {
		t.Fatal(done, err)
	}
	var topics []string
	for key, value, rest, ok := NextPair(h.Query); ok; key, value, rest, ok = NextPair(rest) {
		topic, ok := AppendUnescaped(nil, value)
		if string(key) != "topic" || !ok {
			t.Fatalf("%s=%s", key, value)
		}
		topics = append(topics, string(topic))
	}
	if !slices.Equal(topics, []string{"orders/42", "news"}) {
		t.Errorf("topics are %q", topics)
	}
}
