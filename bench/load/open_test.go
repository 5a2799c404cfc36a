package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestInFlightBoundsWhatIsUnanswered: the server answers only when so many wait, and there are
// never more.
func TestInFlightBoundsWhatIsUnanswered(t *testing.T) {
	t.Parallel()
	const streams, bound = 60, 6
	var waiting, most atomic.Int32
	full := make(chan struct{}, streams)
	server := serve(t, func(c net.Conn) {
		now := waiting.Add(1)
		for high := most.Load(); now > high && !most.CompareAndSwap(high, now); high = most.Load() {
		}
		if now == bound {
			waiting.Add(-bound)
			for range bound {
				full <- struct{}{}
			}
		}
		<-full
		says(streamHead)(c)
	})
	crowd := crowd(t, Config{Subscribe: server.url, InFlight: bound})
	opens(t, crowd, streams, 0)
	if most.Load() != bound {
		t.Errorf("expected %d at most, found %d", bound, most.Load())
	}
}

// TestOpenKeepsItsRate: it may be late, as the machine may, but never early.
func TestOpenKeepsItsRate(t *testing.T) {
	t.Parallel()
	server := serve(t, says(streamHead))
	crowd := crowd(t, Config{Subscribe: server.url, Threads: 2})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	start := time.Now()
	if err := crowd.Open(ctx, 60, 200); err != nil {
		t.Fatal(err)
	}
	// The first of each thread is due at once, and what a late turn makes up for is time that has
	// passed.
	if took := time.Since(start); took < 58*time.Second/200 {
		t.Errorf("60 streams at 200/s took %v", took)
	}
}

// TestOpenEndsWithItsContext: what is open then stays open, and nothing more opens or is tried
// again.
func TestOpenEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	answer := make(chan struct{})
	late := func(c net.Conn) {
		<-answer
		says(streamHead)(c)
	}
	server := serve(t, says(streamHead), late, late, late, late,
		func(c net.Conn) { cancel(); late(c) }, late)
	crowd := crowd(t, Config{Subscribe: server.url, InFlight: 5, Retry: time.Millisecond})
	if err := crowd.Open(ctx, 100, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("expected %v, found %v", context.Canceled, err)
	}
	close(answer)
	opens(t, crowd, 1, 0) // it comes behind whatever is still on its way
	if now, _ := crowd.Totals(); now.Live != 2 || now.Opened != 2 {
		t.Errorf("%+v", now)
	}
	if asked := len(server.asked()); asked != 7 {
		t.Errorf("the server was asked %d times", asked)
	}
}

// TestCausesAreBounded: a server that makes up errors does not fill the memory.
func TestCausesAreBounded(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	server := serve(t, func(c net.Conn) {
		says(fmt.Sprintf("HTTP/1.1 500 Number %d\r\n\r\n", n.Add(1)))(c)
	})
	crowd := crowd(t, Config{Subscribe: server.url})
	opens(t, crowd, 3*failuresMax, 3*failuresMax)
	causes, err := crowd.Causes()
	if err != nil || len(causes) != failuresMax+1 || causes["others"] != 2*failuresMax {
		t.Errorf("%v, %v", causes, err)
	}
}

// TestResumeWhereverAnEventWasCut: each stream is cut at another place of its third event, some by
// the server and some by being dropped. Each resumes after the second, gets the third again, and
// has it once.
func TestResumeWhereverAnEventWasCut(t *testing.T) {
	t.Parallel()
	third := numbered(0, 3)
	streams := len(third)
	var scripts []func(net.Conn)
	for cut := range streams {
		cutOff := says(streamHead, events(1, 2), third[:cut])
		if cut%2 == 0 {
			cutOff = thenCloses(streamHead, events(1, 2), third[:cut])
		}
		scripts = append(scripts, cutOff)
	}
	server := serve(t, append(scripts, says(streamHead, third, numbered(0, 4), ":all\n\n"))...)
	crowd := crowd(t, Config{Subscribe: server.url, KeepIDs: true, InFlight: 1, Threads: 1})
	opens(t, crowd, streams, 0)
	awaits(t, crowd, "what was sent", func(t Totals) bool {
		return int(t.Events) == 2*streams && int(t.Ended) == (streams+1)/2
	})
	if n, err := crowd.Drop(streams); n != streams/2 || err != nil {
		t.Fatalf("expected to drop %d, dropped %d, %v", streams/2, n, err)
	}
	if err := crowd.Reopen(0); err != nil {
		t.Fatal(err)
	}
	awaits(t, crowd, "the rest", func(t Totals) bool { return int(t.Comments) == streams })
	v := verdict(t, crowd, Published{Sure: 4}).Normal
	if !v.Whole() || v.Streams != streams || v.Ended != (streams+1)/2 {
		t.Errorf("%v: %+v", v, v)
	}
	for i, r := range server.asked() {
		want := ""
		if i >= streams {
			want = "17-2"
		}
		if got := strings.Join(r.Header["Last-Event-Id"], ","); got != want {
			t.Errorf("request %d resumes after %q, expected %q", i, got, want)
		}
	}
}

// TestABrokenChunkIsDamage, and not only an end.
func TestABrokenChunkIsDamage(t *testing.T) {
	t.Parallel()
	head := strings.Replace(streamHead, "\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n", 1)
	server := serve(t,
		says(head, chunked(events(1, 2), ";x", "", 1, 50)),
		says(head, "1g\r\n"),
		says(head, strings.Replace(chunked(events(1, 2), "", "", 50), "\r\n0\r\n", "!!", 1)))
	crowd := crowd(t, Config{Subscribe: server.url})
	opens(t, crowd, 3, 0)
	awaits(t, crowd, "three ends", func(t Totals) bool { return t.Ended == 3 && t.Live == 0 })
	v := verdict(t, crowd, Published{Sure: 2}).Normal
	if want := (Verdict{Streams: 3, Exact: 1, Cut: 1, MissedCut: 2, Damaged: 2, Ended: 3,
		Expected: 6}); v != want {
		t.Errorf("expected %+v\nfound    %+v", want, v)
	}
}

// TestAGapToldVeryOften is told.
func TestAGapToldVeryOften(t *testing.T) {
	t.Parallel()
	server := serve(t,
		says(streamHead, events(1), strings.Repeat("event: gap\ndata: {}\n\n", 1<<16), events(4)))
	crowd := crowd(t, Config{Subscribe: server.url})
	opens(t, crowd, 1, 0)
	awaits(t, crowd, "the gaps", func(t Totals) bool { return t.Gaps == 1<<16 && t.Events == 2 })
	if v := verdict(t, crowd, Published{Sure: 4}).Normal; v.Told != 1 || v.MissedTold != 2 ||
		v.Short != 0 {
		t.Errorf("%v: %+v", v, v)
	}
}

// TestDribblersComeBackAsOften: a stream that was opened again is read as seldom as before.
func TestDribblersComeBackAsOften(t *testing.T) {
	t.Parallel()
	server := serve(t, says(streamHead))
	crowd := crowd(t,
		Config{Subscribe: server.url, Slow: Slow{Share: 1, Bytes: 1, Pause: time.Hour}})
	opens(t, crowd, 3, 0)
	for visits := uint64(2); visits <= 4; visits++ {
		if n, err := crowd.Drop(3); n != 3 || err != nil {
			t.Fatal(n, err)
		}
		if err := crowd.Reopen(0); err != nil {
			t.Fatal(err)
		}
		awaits(t, crowd, "them to come back", func(t Totals) bool { return t.Opened == 3*visits })
	}
	l := crowd.members[0].(*Client).loops[0]
	l.do(func() {
		if n := len(l.dribbles); n != 3 {
			t.Errorf("3 streams are read %d times", n)
		}
	})
}

// TestSlowReadersNoticeTheEnd: one that never reads takes what is there when the server has ended
// it.
func TestSlowReadersNoticeTheEnd(t *testing.T) {
	t.Parallel()
	server := serve(t, thenCloses(streamHead, events(1, 2)))
	crowd := crowd(t, Config{Subscribe: server.url, Slow: Slow{Share: 1}})
	opens(t, crowd, 3, 0)
	awaits(t, crowd, "three ends", func(t Totals) bool { return t.Ended == 3 })
	if v := verdict(t, crowd, Published{Sure: 2}).Slow; v.Exact != 3 || v.Ended != 3 {
		t.Errorf("%v: %+v", v, v)
	}
}

// lowLimit in the environment of the test below is where its child, which may open few files, finds
// the server.
const lowLimit = "TEST_LOW_LIMIT_URL"

// TestWorkersAreForkedWhereTheLimitIsTooLow: a process that may open 400 files opens 600 streams.
func TestWorkersAreForkedWhereTheLimitIsTooLow(t *testing.T) {
	const files, streams = 400, 600
	if url := os.Getenv(lowLimit); url != "" {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE,
			&syscall.Rlimit{Cur: files, Max: files}); err != nil {
			t.Fatal(err)
		}
		t.Setenv("TEST_AS_LOAD_WORKER", "1")
		crowd, err := NewCrowd(Config{Subscribe: url}, streams, Workers{Command: os.Args[:1]})
		if err != nil {
			t.Fatal(err)
		}
		defer crowd.Close()
		opens(t, crowd, streams, 0)
		awaits(t, crowd, "an event each", func(t Totals) bool { return t.Events == streams })
		if v := verdict(t, crowd, Published{Sure: 1}).Normal; !v.Whole() || v.Streams != streams ||
			crowd.Processes() != streams/(files-filesSpare) {
			t.Errorf("%v in %d processes", v, crowd.Processes())
		}
		return
	}
	t.Parallel()
	server := serve(t, func(c net.Conn) { says(streamHead, events(1))(c) })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0], "-test.v", "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), lowLimit+"="+server.url, "GORACE=atexit_sleep_ms=10")
	said, err := child.CombinedOutput()
	if err != nil || !strings.Contains(string(said), "--- PASS: "+t.Name()) {
		t.Errorf("%v: %s", err, said)
	}
	if asked := len(server.asked()); asked != streams {
		t.Errorf("expected %d streams, found %d", streams, asked)
	}
}
