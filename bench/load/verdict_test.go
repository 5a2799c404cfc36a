package load

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestVerifyTellsFaultsApart shows one faulty stream between two good ones, of four events each:
// the verdict names its faults and no others.
func TestVerifyTellsFaultsApart(t *testing.T) {
	t.Parallel()
	const fin = "data: end\n\n" // an event without a mark: when it has come, all has
	short := func(lost uint64) Verdict { return Verdict{Short: 1, Lost: lost} }
	for name, c := range map[string]struct {
		faulty string
		want   Verdict // but for what all have in common
	}{
		"lost in the middle": {events(1, 2, 4), short(1)},
		"lost at the start":  {events(2, 3, 4), short(1)},
		"lost at the end":    {events(1, 2, 3), short(1)},
		"all lost":           {"", short(4)},
		"twice": {events(1, 2) + eventWith(0, 2, "17-2-again") + events(3, 4),
			Verdict{Duplicate: 1}},
		"twice with its id":   {events(1, 2, 2, 3, 4), Verdict{Duplicate: 1}},
		"all again":           {events(1, 2, 3, 4, 1, 2, 3, 4), Verdict{Duplicate: 1}},
		"one lost, one twice": {events(1, 2, 2, 4), Verdict{Duplicate: 1, Short: 1, Lost: 1}},
		"out of order": {eventWith(0, 1, "1") + eventWith(0, 3, "2") + eventWith(0, 2, "3") +
			eventWith(0, 4, "4"), Verdict{Late: 1}},
		"and ids with it": {events(1, 3, 2, 4), Verdict{Late: 1}},
		"ids fall": {eventWith(0, 1, "5-9") + eventWith(0, 2, "5-8") +
			eventWith(0, 3, "6") + eventWith(0, 4, "7"), Verdict{Unsorted: 1}},
		"the same id": {eventWith(0, 1, "a") + eventWith(0, 2, "b") + eventWith(0, 3, "b") +
			eventWith(0, 4, "c"), Verdict{Unsorted: 1}},
		"damaged": {events(1, 2) + "??\n" + events(3, 4), Verdict{Damaged: 1}},
		"damaged name": {events(1, 2) + strings.Replace(events(3), "data", "dXta", 1) +
			events(4), Verdict{Damaged: 1, Short: 1, Lost: 1}},
		"told of a gap": {events(1) + "event: gap\ndata: {}\nid: 17-3\n\n" + events(4),
			Verdict{Told: 1, MissedTold: 2}},
		"of another topic": {events(1, 2) + eventWith(1, 1, "17-2-other") + events(3, 4),
			Verdict{Misdelivered: 1}},
		"too many":        {events(1, 2, 3, 4, 5), Verdict{Over: 1}},
		"never published": {events(1, 2, 3, 5), Verdict{Over: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			good := streamHead + events(1, 2, 3, 4) + fin
			server := serve(t, says(good), says(streamHead, c.faulty, fin), says(good))
			crowd := crowd(t, Config{Subscribe: server.url})
			opens(t, crowd, 3, 0)
			awaits(t, crowd, "three ends", func(t Totals) bool { return t.Others == 3 })
			want := c.want
			want.Streams, want.Exact, want.Expected = 3, 2, 12
			if v := verdict(t, crowd, Published{Sure: 4, Highest: []uint32{4}}).Normal; v != want ||
				v.Whole() {
				t.Errorf("expected %+v, found %+v", want, v)
			}
		})
	}
}

// TestFaultsOfOnePublisherAmongSeveral: a number that each of them has is no duplicate, and one
// that is late is late among its own.
func TestFaultsOfOnePublisherAmongSeveral(t *testing.T) {
	t.Parallel()
	of := func(marks ...int) func(net.Conn) { // lane, number, lane, number ...
		var b strings.Builder
		for i := 0; i < len(marks); i += 2 {
			b.WriteString(eventWith(marks[i], marks[i+1], fmt.Sprint(1+i)))
		}
		return says(streamHead, b.String(), "data: end\n\n")
	}
	server := serve(t,
		of(0, 1, 1, 1, 1, 2, 0, 2), of(1, 1, 1, 2, 0, 1, 0, 2), // good
		of(0, 1, 1, 1, 1, 1, 0, 2), of(0, 1, 1, 2, 1, 1, 0, 2), of(0, 1, 1, 1, 2, 1, 0, 2))
	crowd := crowd(t, Config{Subscribe: server.url, Lanes: 2})
	opens(t, crowd, 5, 0)
	awaits(t, crowd, "five ends", func(t Totals) bool { return t.Others == 5 })
	want := Verdict{Streams: 5, Exact: 2, Duplicate: 1, Late: 1, Misdelivered: 1, Short: 2, Lost: 2,
		Expected: 20}
	if v := verdict(t, crowd, Published{Sure: 4, Highest: []uint32{2, 2}}).Normal; v != want {
		t.Errorf("expected %+v, found %+v", want, v)
	}
	want.Over, want.Exact = 3, 0 // all but those that lost it
	if v := verdict(t, crowd, Published{Sure: 4, Highest: []uint32{2, 1}}).Normal; v != want {
		t.Errorf("expected %+v, found %+v", want, v)
	}
}

func TestWhatIsRightIsExact(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"plain": events(1, 2, 3),
		"no ids": strings.ReplaceAll(strings.ReplaceAll(events(1, 2, 3), "id: 17-", "x-"),
			"\nx-1\n", "\n"),
		"comments":  ":\n\n" + events(1) + ":\n\n:\n\n" + events(2, 3),
		"greetings": "id: 3-0\n\nretry: 100\n\ndata: hello\n\n" + events(1, 2, 3),
		"opaque": eventWith(0, 1, "urn:uuid:b") + eventWith(0, 2, "urn:uuid:a") +
			eventWith(0, 3, "urn:uuid:c"),
		"crlf": strings.ReplaceAll(events(1, 2, 3), "\n", "\r\n"),
	} {
		if name == "no ids" {
			body = ""
			for line := range strings.Lines(events(1, 2, 3)) {
				if !strings.HasPrefix(line, "id") {
					body += line
				}
			}
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, says(streamHead, body))
			crowd := crowd(t, Config{Subscribe: server.url})
			opens(t, crowd, 2, 0)
			awaits(t, crowd, "six events", func(t Totals) bool { return t.Events == 6 })
			v := verdict(t, crowd, Published{Sure: 3}).Normal
			if !v.Whole() || v.Expected != 6 {
				t.Errorf("%v: %+v", v, v)
			}
			if v = verdict(t, crowd, Published{Sure: 2, Maybe: 1}).Normal; !v.Whole() {
				t.Errorf("one of three was unsure: %v", v)
			}
			if v = verdict(t, crowd, Published{Sure: 4}).Normal; v.Lost != 2 || v.Short != 2 {
				t.Errorf("of four: %v", v)
			}
		})
	}
}

// TestTopicsAndLanes have numbers of their own.
func TestTopicsAndLanes(t *testing.T) {
	t.Parallel()
	// Two topics, three lanes: the mark's topic is topic*3+lane.
	of := func(topic int) func(net.Conn) {
		return says(streamHead, numbered(topic*3, 1), numbered(topic*3+2, 1),
			numbered(topic*3+1, 1), numbered(topic*3+2, 2), numbered(topic*3, 2))
	}
	server := serve(t, of(5), of(6))
	crowd := crowd(t, Config{Subscribe: server.url, Topics: 2, TopicFirst: 5, Lanes: 3,
		InFlight: 1})
	opens(t, crowd, 2, 0)
	awaits(t, crowd, "ten events", func(t Totals) bool { return t.Events == 10 })
	v := verdict(t, crowd, Published{Sure: 5}, Published{Sure: 5}).Normal
	if v.Lost+uint64(v.Duplicate+v.Late+v.Misdelivered) != 0 {
		t.Errorf("%v: %+v", v, v)
	}
	if asked := server.asked(); asked[0].URL.Query().Get("topic") != "5" ||
		asked[1].URL.Query().Get("topic") != "6" {
		t.Errorf("found %v and %v", asked[0].URL, asked[1].URL)
	}
}

func TestStreamsThatEnd(t *testing.T) {
	t.Parallel()
	server := serve(t, thenCloses(streamHead, events(1, 2)), thenCloses(streamHead, events(1)))
	crowd := crowd(t, Config{Subscribe: server.url, InFlight: 1})
	opens(t, crowd, 2, 0)
	awaits(t, crowd, "two ends", func(t Totals) bool { return t.Ended == 2 && t.Live == 0 })
	v := verdict(t, crowd, Published{Sure: 2}).Normal
	if v.Ended != 2 || v.Cut != 1 || v.MissedCut != 1 || v.Short != 0 || v.Exact != 1 {
		t.Errorf("%v: %+v", v, v)
	}
}

// TestWhatAnEarlierRunPublished is none of this one's, nor its loss.
func TestWhatAnEarlierRunPublished(t *testing.T) {
	t.Parallel()
	earlier := events(1, 2, 3)
	time.Sleep(2 * time.Millisecond) // marks count microseconds
	server := serve(t, func(c net.Conn) { says(streamHead, earlier, events(1, 2))(c) })
	crowd := fresh(t, Config{Subscribe: server.url})
	opens(t, crowd, 1, 0)
	awaits(t, crowd, "five events", func(t Totals) bool { return t.Events == 2 && t.Stale == 3 })
	if v := verdict(t, crowd, Published{Sure: 2}).Normal; !v.Whole() {
		t.Error(v)
	}
}

// TestResume: a stream that lost its connection asks for what comes after the last whole event, and
// an event that was cut off counts when it comes whole.
func TestResume(t *testing.T) {
	t.Parallel()
	third := numbered(0, 3)
	server := serve(t,
		thenCloses(streamHead, events(1, 2), third[:len(third)-1]), // without the blank line
		says(streamHead, third, numbered(0, 4)))
	crowd := crowd(t, Config{Subscribe: server.url, KeepIDs: true})
	opens(t, crowd, 1, 0)
	awaits(t, crowd, "an end", func(t Totals) bool { return t.Ended == 1 })
	if err := crowd.Reopen(0); err != nil {
		t.Fatal(err)
	}
	awaits(t, crowd, "four events", func(t Totals) bool { return t.Events == 4 })
	if v := verdict(t, crowd, Published{Sure: 4}).Normal; v.Exact != 1 {
		t.Errorf("%v: %+v", v, v)
	}
	if asked := server.asked(); asked[0].Header.Get("Last-Event-Id") != "" ||
		asked[1].Header.Get("Last-Event-Id") != "17-2" {
		t.Errorf("resumed after %q", asked[1].Header.Get("Last-Event-Id"))
	}
	if dropped, err := crowd.Drop(5); dropped != 1 || err != nil {
		t.Errorf("dropped %d, %v", dropped, err)
	}
	if err := crowd.Reopen(0); err != nil {
		t.Fatal(err)
	}
	awaits(t, crowd, "what was said again", func(t Totals) bool { return t.Duplicates == 2 })
	if asked := server.asked(); asked[2].Header.Get("Last-Event-Id") != "17-4" {
		t.Errorf("resumed after %q", asked[2].Header.Get("Last-Event-Id"))
	}
}

// TestFailuresHaveTheirCauses, and are tried again if that is wanted.
func TestFailuresHaveTheirCauses(t *testing.T) {
	t.Parallel()
	for cause, script := range map[string]func(net.Conn){
		"503":                   says("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"),
		"text/event-stream":     says("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"),
		"streamlike":            says("HTTP/1.1 200 OK\r\nContent-Type: text/event-streamlike\r\n\r\n"),
		"Content-Length":        says("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 0\r\n\r\n"),
		"CRLF":                  says("HTTP/1.1 200 OK\nContent-Type: text/event-stream\n\n"),
		"a.[31m key":            says("HTTP/1.1 401 Unauthorized\r\n\r\na\x1b[31m\nkey"),
		"no Content-Encoding":   says("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n\r\n"),
		"closed the connection": thenCloses("HTTP/1.1 200 OK\r\n"),
		"no end of the":         says("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", headBytesMax)),
		"no answer within":      says("HTTP/1.1 200 OK\r\n"),
		"size of a chunk":       says("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\nx"),
	} {
		t.Run(cause, func(t *testing.T) {
			t.Parallel()
			server := serve(t, script, says(streamHead))
			config := Config{Subscribe: server.url}
			if cause == "no answer within" {
				config.OpenTimeout = 50 * time.Millisecond
			}
			crowd := crowd(t, config)
			if cause == "size of a chunk" { // it is open by then
				opens(t, crowd, 1, 0)
				awaits(t, crowd, "an end", func(t Totals) bool { return t.Ended == 1 })
				return
			}
			opens(t, crowd, 1, 1)
			causes, err := crowd.Causes()
			if len(causes) != 1 || err != nil {
				t.Fatalf("%v, %v", causes, err)
			}
			for found := range causes {
				if !strings.Contains(found, cause) {
					t.Errorf("found %q", found)
				}
			}
		})
	}
	server := serve(t, says("HTTP/1.1 503 Service Unavailable\r\n\r\n"), says(streamHead))
	again := crowd(t, Config{Subscribe: server.url, Retry: 10 * time.Millisecond, InFlight: 1})
	opens(t, again, 1, 1)
	awaits(t, again, "a stream", func(t Totals) bool { return t.Live == 1 && t.Failed == 1 })
}

// TestNothingListens is a failure of each stream.
func TestNothingListens(t *testing.T) {
	t.Parallel()
	// Bound and not listening: no other test is given the port meanwhile.
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	at, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	crowd := crowd(t,
		Config{Subscribe: fmt.Sprintf("http://127.0.0.1:%d/", at.(*unix.SockaddrInet4).Port)})
	opens(t, crowd, 3, 3)
	causes, err := crowd.Causes()
	if err != nil || len(causes) != 1 {
		t.Fatalf("%v, %v", causes, err)
	}
	for cause, n := range causes {
		if n != 3 || !strings.Contains(cause, "refused") {
			t.Errorf("found %d times %q", n, cause)
		}
	}
}

// TestAPayloadIsLookedAtToItsEnd: what is shorter than it was published, or another, is damaged.
func TestAPayloadIsLookedAtToItsEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil   func(string) string
		damaged bool
	}{
		"as it was": {func(e string) string { return e }, false},
		"in JSON": {func(e string) string {
			return strings.Replace(strings.Replace(e, "data: ", `data: {"v":"`, 1), "\nid",
				"\"}\nid", 1)
		}, false},
		"with CRLF": {func(e string) string { return strings.ReplaceAll(e, "\n", "\r\n") },
			false},
		"one byte short": {func(e string) string { return strings.Replace(e, "x\n", "\n", 1) },
			true},
		"only the mark": {func(e string) string {
			return strings.Replace(e, strings.Repeat("x", 14), "", 1)
		}, true},
		"another byte": {func(e string) string { return strings.Replace(e, "xx\n", "xy\n", 1) },
			true},
		"short in JSON": {func(e string) string {
			return strings.Replace(strings.Replace(e, "data: ", `data: {"v":"`, 1), "xx\nid",
				"\"}\nid", 1)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, cut := range []int{0, 20, 40} { // in one piece, or in two
				event := c.spoil(numbered(0, 1))
				cut := min(cut, len(event))
				server := serve(t, func(conn net.Conn) {
					says(streamHead, event[:cut])(conn)
					if cut > 0 {
						time.Sleep(20 * time.Millisecond)
					}
					says(event[cut:], "data: end\n\n")(conn)
				})
				crowd := crowd(t, Config{Subscribe: server.url, Payload: 30})
				opens(t, crowd, 1, 0)
				awaits(t, crowd, "the end", func(t Totals) bool { return t.Others == 1 })
				if v := verdict(t, crowd, Published{Sure: 1}).
					Normal; (v.Damaged == 1) != c.damaged || v.Lost != 0 {
					t.Errorf("cut at %d: found %+v", cut, v)
				}
			}
		})
	}
}

// TestHeartbeatsAreCountedForEachStream, and anew after each question.
func TestHeartbeatsAreCountedForEachStream(t *testing.T) {
	t.Parallel()
	server := serve(t, says(streamHead, strings.Repeat(":\n\n", 300), "data: end\n\n"),
		says(streamHead, "data: end\n\n"), says(streamHead, ":\n\n", "data: end\n\n"))
	crowd := crowd(t, Config{Subscribe: server.url})
	opens(t, crowd, 3, 0)
	awaits(t, crowd, "three ends", func(t Totals) bool { return t.Others == 3 })
	for i, want := range []int{1, 3} { // an event without a mark is one, too
		if n, err := crowd.Silent(2); err != nil || n != want {
			t.Errorf("question %d: expected %d streams without two heartbeats, found %d, %v", i,
				want, n, err)
		}
	}
}
