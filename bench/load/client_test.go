package load

import (
	"context"
	"errors"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// TestDropFindsAllThatAreLive, however they are spread over the threads, and the totals know of it
// at once.
func TestDropFindsAllThatAreLive(t *testing.T) {
	t.Parallel()
	server := serve(t, says(streamHead))
	crowd := crowd(t, Config{Subscribe: server.url, Threads: 3})
	opens(t, crowd, 4, 0) // two on the first thread
	for _, n := range []int{4, 3, 9} {
		awaits(t, crowd, "four streams", func(t Totals) bool { return t.Live == 4 })
		want := min(n, 4)
		if dropped, err := crowd.Drop(n); dropped != want || err != nil {
			t.Fatalf("asked for %d: dropped %d, %v", n, dropped, err)
		}
		if totals, _ := crowd.Totals(); totals.Live != uint64(4-want) {
			t.Fatalf("%d of 4 are dropped, and %d live", want, totals.Live)
		}
		if err := crowd.Reopen(0); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTotalsShowWhatWasDone: a loop that has something else to do first still shows what a call has
// come to.
func TestTotalsShowWhatWasDone(t *testing.T) {
	t.Parallel()
	crowd := crowd(t, Config{Subscribe: "http://127.0.0.1:1/"})
	l := crowd.members[0].(*Client).loops[0]
	in, first, second, done := make(chan struct{}), make(chan struct{}), make(chan struct{}),
		make(chan struct{})
	queued := func(n int) {
		for len(l.inbox) < n {
			runtime.Gosched()
		}
	}
	go l.do(func() { close(in); <-first })
	<-in
	go func() { l.do(func() { l.tally.Others = 7 }); close(done) }()
	queued(1)
	go l.do(func() { <-second })
	queued(2)
	close(first)
	<-done
	if totals, _ := crowd.Totals(); totals.Others != 7 {
		t.Errorf("found %+v", totals)
	}
	close(second)
}

// TestOpenWaitsForEachStream: one that is refused again and again is one stream that has failed.
func TestOpenWaitsForEachStream(t *testing.T) {
	t.Parallel()
	const refused = "HTTP/1.1 503 Service Unavailable\r\n\r\n"
	again := make(chan struct{})
	var tries atomic.Int32
	server := serve(t,
		func(c net.Conn) {
			select {
			case <-again:
			case <-t.Context().Done():
			}
			says(streamHead)(c)
		},
		func(c net.Conn) {
			if tries.Add(1) == 5 {
				close(again)
			}
			says(refused)(c)
		})
	crowd := crowd(t, Config{Subscribe: server.url, Retry: time.Millisecond})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := crowd.Open(ctx, 2, 0); err != nil {
		t.Fatal(err)
	}
	if totals, _ := crowd.Totals(); totals.Live == 0 || totals.Settled != 2 {
		t.Errorf("one stream has no answer yet, and Open returned: %+v", totals)
	}
}

// TestStopOpeningGivesUpWhatHasNoAnswer: it is not tried again, and is no part of what is opened
// later.
func TestStopOpeningGivesUpWhatHasNoAnswer(t *testing.T) {
	t.Parallel()
	asked, answer := make(chan struct{}), make(chan struct{})
	server := serve(t, func(c net.Conn) {
		close(asked)
		select {
		case <-answer:
		case <-t.Context().Done():
		}
		c.Close()
	}, says(streamHead))
	crowd := crowd(t, Config{Subscribe: server.url, InFlight: 1, Retry: time.Millisecond})
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	go func() { <-asked; cancel(why) }()
	if err := crowd.Open(ctx, 3, 0); !errors.Is(err, why) {
		t.Fatalf("expected %v, found %v", why, err)
	}
	close(answer)
	opens(t, crowd, 1, 0)
	totals, _ := crowd.Totals()
	if totals.Opened != 1 || totals.Live != 1 || len(server.asked()) != 2 {
		t.Errorf("%d requests, %+v", len(server.asked()), totals)
	}
	if v := verdict(t, crowd, Published{}); v.Normal.Streams != 1 {
		t.Errorf("%+v", v)
	}
}

// TestQuietIsNoEventForAWhile.
func TestQuietIsNoEventForAWhile(t *testing.T) {
	t.Parallel()
	server := serve(t, says(streamHead, events(1, 2, 3)))
	crowd := crowd(t, Config{Subscribe: server.url})
	opens(t, crowd, 1, 0)
	began := time.Now()
	if err := crowd.WaitQuiet(t.Context(), 50*time.Millisecond); err != nil ||
		time.Since(began) < 50*time.Millisecond {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	if v := verdict(t, crowd, Published{Sure: 3}).Normal; !v.Whole() {
		t.Error(v)
	}
}
