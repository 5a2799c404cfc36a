package intake

import (
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"ssedge/shard/log"
)

var requestLimits = RequestLimits{TopicsPerStream: 4, TopicBytes: 16}

func TestResumePositionOfARequest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		query, header string
		resume        log.Resume
		position      string
	}{
		{"topic=t", "", log.ResumeNot, ""},
		{"topic=t", "5-1", log.ResumeAt, "5-1"},
		{"topic=t", "5", log.ResumeAt, "5"},
		{"topic=t&last_event_id=5-1", "", log.ResumeAt, "5-1"},
		{"lastEventID=5%2D1&topic=t", "", log.ResumeAt, "5-1"},
		{"topic=t&last%5Fevent%5Fid=5-1", "", log.ResumeAt, "5-1"},
		{"topic=t&last_event_id=6-1", "5-1", log.ResumeAt, "5-1"},
		{"topic=t&last_event_id=6-1", "x", log.ResumeMalformed, ""},
		{"topic=t&last_event_id=earliest", "", log.ResumeEarliest, ""},
		{"topic=t&topic=u", "earliest", log.ResumeEarliest, ""},
		{"topic=t&last_event_id=earliest", "5-1", log.ResumeAt, "5-1"},
		{"topic=t&last_event_id=Earliest", "", log.ResumeMalformed, ""},
		{"topic=t&last_event_id=", "", log.ResumeNot, ""},
		{"topic=t&last_event_id", "", log.ResumeNot, ""},
		{"topic=t&last_event_id=+", "", log.ResumeMalformed, ""},
		{"topic=t&last_event_id=6-1&lastEventId=5-1", "", log.ResumeAt, "5-1"},
		{"topic=t&last_event_id=earliest&Last-Event-ID=7-1&last_event_id=5-1", "", log.ResumeAt,
			"5-1"},
		{"topic=t&last_event_id=5-1&lastEventId=", "", log.ResumeAt, "5-1"},
		{"topic=t&lastEventId=6-1&last_event_id=7-1", "5-1", log.ResumeAt, "5-1"},
		{"topic=t&lastEventId=5-1&_=1700000000&EVENTSOURCE_TOKEN=x", "", log.ResumeAt, "5-1"},
		{"topic=t&last_event=5-1&lasteventidss=5-1&xlasteventid=5-1&lastéventid=5-1", "",
			log.ResumeNot, ""},
		{"topic=t&topic=u", "5-1", log.ResumeMalformed, ""},
	} {
		r := &Request{Query: []byte(c.query), LastEventID: []byte(c.header)}
		if refusal := r.parse(&requestLimits); refusal != nil {
			t.Errorf("%+v: %s", c, refusal.Reason)
			continue
		}
		if r.resume != c.resume || c.position != "" && r.position.String() != c.position {
			t.Errorf("%+v: %v %v", c, r.resume, r.position)
		}
	}
}

// Every spelling of the resume position that clients use is read, percent-encoded or not.
func TestEverySpellingOfTheResumeIsRead(t *testing.T) {
	t.Parallel()
	var spellings []string
	for _, between := range []string{"", "-", "_"} {
		for _, other := range []string{"", "-", "_"} {
			for _, words := range []string{"last event id", "last Event Id", "last Event ID",
				"Last Event ID", "LAST EVENT ID", "lAST eVENT iD"} {
				w := strings.Fields(words)
				spellings = append(spellings, w[0]+between+w[1]+other+w[2])
			}
		}
	}
	spellings = append(spellings, "last.event.id", "lastEventId[0]", "lastEventId[]",
		"last_event_ids", "evs_last_event_id", "evs_lastEventId", " last+event+id ", "lastEventId2")
	for _, s := range spellings {
		encoded := strings.NewReplacer("_", "%5f", "-", "%2D", "a", "%61", "E", "%45").Replace(s)
		for _, key := range []string{s, encoded} {
			for _, query := range []string{key + "=5-1&topic=t", "topic=t&last_event_id=earliest&" +
				key + "=5-1", "topic=t&" + key + "=5%2d1&utm=x"} {
				r := &Request{Query: []byte(query)}
				if refusal := r.parse(&requestLimits); refusal != nil || r.resume != log.ResumeAt ||
					r.position.String() != "5-1" {
					t.Errorf("%s: %v, %v %v", query, refusal, r.resume, r.position)
				}
			}
		}
	}
}

// A request that is used again has nothing of the one before it.
func TestRequestIsReusable(t *testing.T) {
	t.Parallel()
	var r Request
	for range 3 {
		for _, query := range []string{"topic=aaaa&topic=b&last_event_id=7-7", "topic=c", "topic=",
			"x=%zz", "topic=dd&topic=d&topic=dd", "Topic=a&last-event-id=7-7", "x=y"} {
			r.Query = []byte(query)
			refusal := r.parse(&requestLimits)
			var fresh Request
			fresh.Query = []byte(query)
			if expected := fresh.parse(&requestLimits); !reflect.DeepEqual(refusal, expected) {
				t.Fatalf("%s: %v, fresh %v", query, refusal, expected)
			}
			if refusal == nil &&
				(r.resume != fresh.resume ||
					!slices.EqualFunc(r.topics, fresh.topics, slices.Equal)) {
				t.Errorf("%s: %q %v, fresh %q %v", query, r.topics, r.resume, fresh.topics,
					fresh.resume)
			}
		}
	}
}

// The plain request costs no allocation once its scratch is there.
func TestParseDoesNotAllocate(t *testing.T) {
	r := &Request{Query: []byte("topic=prices&topic=a%20b"), LastEventID: []byte("nonsense")}
	if n := testing.AllocsPerRun(100, func() { r.parse(&requestLimits) }); n > 2 {
		// of the check of several names
		t.Errorf("%v allocations", n)
	}
	r.Query = []byte("topic=prices&last_event_id=5-5")
	if n := testing.AllocsPerRun(100, func() { r.parse(&requestLimits) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// A query means what net/url says it means; what comes through are valid topics.
func FuzzRequestParse(f *testing.F) {
	for _, seed := range []string{
		"topic=t", "topic=a&topic=b&topic=a", "topic=%C3%A4+%20", "topic=", "topic", "",
		"topic=a;b", "topic=%f", "%74opic=x", "topic=%00",
		"topic=t&last_event_id=5-0", "topic=t&lastEventID=x&last_event_id=y", "&&topic==&=",
		"topic=a=b", "topic=%ff", "topic=%c2%85", "topic=\xc3\xa4",
		"a=b&topic=1&topic=2&topic=3&topic=4&topic=5", "topic=0123456789abcdefg", "TOPIC=x",
		"t+pic=x", "topic+=x", "topic=a&Topic=b", "topic=a&topics", "topic=t&last_event_id=*",
	} {
		f.Add(seed, "")
	}
	f.Add("topic=t", "5-5")
	f.Add("topic=a&topic=b", "x")
	f.Fuzz(func(t *testing.T, query, lastEventID string) {
		r := &Request{Query: []byte(query), LastEventID: []byte(lastEventID)}
		refusal := r.parse(&requestLimits)
		values, err := url.ParseQuery(query)
		if (err != nil) != (refusal == refuseQuery) {
			t.Fatalf("%q: net/url says %v, we %v", query, err, refusal)
		}
		if err != nil {
			return
		}
		var expected []string
		valid := true
		for _, topic := range values["topic"] {
			valid = valid && topic != "" && len(topic) <= requestLimits.TopicBytes &&
				topic[0] != '$' && utf8.ValidString(topic) &&
				!strings.ContainsFunc(topic, unicode.IsControl)
			if !slices.Contains(expected, topic) {
				expected = append(expected, topic)
			}
		}
		said := lastEventID != ""
		for name, all := range values {
			if strings.EqualFold("lasteventid",
				strings.NewReplacer("-", "", "_", "", "[", "", "]", "", " ", "").Replace(name)) &&
				!strings.ContainsFunc(name, func(c rune) bool { return c > 0x7f }) {
				said = said || slices.ContainsFunc(all, func(v string) bool { return v != "" })
			}
		}
		for name := range values { // one that looks like the name of topics, and is not
			name, plain := strings.ToLower(strings.NewReplacer("-", "", "_", "", "[", "", "]", "",
				" ", "").Replace(name)), name == "topic"
			valid = valid && (plain || name != "topic" && name != "topics")
		}
		if accepted := valid && len(expected) > 0 &&
			len(expected) <= requestLimits.TopicsPerStream; accepted != (refusal == nil) {
			t.Fatalf("%q: topics %q, refused: %v", query, expected, refusal)
		}
		if refusal != nil {
			return
		}
		slices.Sort(expected)
		var got []string
		for _, topic := range r.topics {
			got = append(got, string(topic))
		}
		if !slices.Equal(got, expected) {
			t.Fatalf("%q: %q, expected %q", query, got, expected)
		}
		if said == (r.resume == log.ResumeNot) {
			t.Fatalf("%q, %q: resume %v", query, lastEventID, r.resume)
		}
	})
}

// An IPv6 client is its /64, an IPv4 one its address, mapped or not.
func TestAddressesAreCountedByTheNetworkOfAClient(t *testing.T) {
	t.Parallel()
	var a addresses
	enter := func(text string) (uint32, bool) { return a.enter(netip.MustParseAddr(text), 2) }
	first, _ := enter("2001:db8::1")
	second, _ := enter("2001:db8::2:0:0:1%eth0")
	if _, ok := enter("2001:db8::ffff"); ok || first != second {
		t.Error("a third from one /64")
	}
	if _, ok := enter("2001:db8:0:1::1"); !ok {
		t.Error("another /64 is refused")
	}
	enter("192.0.2.1")
	enter("192.0.2.1")
	if _, ok := enter("192.0.2.1"); ok {
		t.Error("a third from one address")
	}
	if _, ok := enter("192.0.2.2"); !ok {
		t.Error("another address is refused")
	}
	a.leave(first)
	if again, ok := enter("2001:db8::3"); !ok || again != first {
		t.Error("a place does not come back")
	}
}

// Addresses whose streams are gone are forgotten: the table is as large as it ever had to be
// at a time.
func TestAddressesAreForgotten(t *testing.T) {
	t.Parallel()
	var a addresses
	for i := range 10_000 {
		addr := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		owner, ok := a.enter(addr, 1)
		if !ok {
			t.Fatal(addr)
		}
		a.leave(owner)
	}
	if len(a.index) != 0 || len(a.counts) != 1 {
		t.Errorf("%d addresses, %d places", len(a.index), len(a.counts))
	}
}
