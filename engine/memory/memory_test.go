package memory

import (
	"math"
	"runtime"
	"sync"
	"testing"
	"testing/fstest"
	"time"
)

// The tests that look at real memory are not parallel: others would take some meanwhile.

const ballast = 64 << 20

// room is how far above what is in use at first a bound of these tests is: half a burst.
const room = ballast / 2

func burst() (all [][]byte) {
	for range ballast >> 16 {
		b := make([]byte, 1<<16)
		for i := 0; i < len(b); i += 1 << 12 { // each page is there
			b[i] = 1
		}
		all = append(all, b)
	}
	return all
}

func quiet() int64 {
	runtime.GC()
	runtime.GC() // pools
	return Use().InUse
}

// What a burst has left is given back, and causes no refusals, whether it is garbage, unused, or in
// a pool.
func TestABurstThatIsOverDoesNotCount(t *testing.T) {
	for name, left := range map[string]func(){
		"Garbage": func() { burst() },
		"Unused":  func() { burst(); runtime.GC() },
		"Pooled": func() {
			var pool sync.Pool
			for _, b := range burst() {
				pool.Put(&b)
			}
			t.Cleanup(func() { runtime.KeepAlive(&pool) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := NewWatch(quiet() + room)
			left()
			if u := Use(); u.Held <= w.max {
				t.Fatalf("Go holds %d bytes, expected more than %d: the burst was none", u.Held,
					w.max)
			}
			if w.Short() {
				t.Errorf("a burst that is over counts: %+v, of %d", Use(), w.max)
			}
			if u := Use(); u.Held > w.max {
				t.Errorf("%d bytes are still held, of %d", u.Held, w.max)
			}
		})
	}
}

func TestWhatIsInUseCounts(t *testing.T) {
	w := NewWatch(quiet() + room)
	all := burst()
	if !w.Short() {
		t.Errorf("%+v, of %d: expected too much", Use(), w.max)
	}
	runtime.KeepAlive(all)
	all = nil
	w.next = time.Time{} // the pause is over
	if w.Short() {
		t.Errorf("%+v, of %d: what is no longer in use counts", Use(), w.max)
	}
}

// script is a process whose memory is set by hand.
type script struct {
	Usage
	garbage, cost int64 // what a collection frees, and takes
	collected     int
	clock         int64
}

func (s *script) watch(max int64) *Watch {
	return &Watch{
		max: max, use: func() Usage { return s.Usage },
		now: func() time.Time { return time.Unix(1, s.clock) },
		giveBack: func() {
			s.collected++
			s.clock += s.cost
			s.InUse -= s.garbage
			s.garbage, s.Held = 0, s.InUse
		},
	}
}

// Collections take a tenth of the time at most. Until the next one the last answer holds, unless so
// little is in use that it is wrong.
func TestCollectionsAreRare(t *testing.T) {
	s := &script{Usage: Usage{100, 120}, cost: int64(10 * time.Millisecond)}
	w := s.watch(50)
	const looks = 1000
	for range looks {
		if !w.Short() {
			t.Fatal("what is in use does not count")
		}
		s.clock += int64(10 * time.Millisecond)
	}
	if part := float64(s.collected) * float64(s.cost) / float64(s.clock); part > 1.0/costShare ||
		s.collected < 2*looks/100/2 {
		t.Errorf("%d collections, %.3f of the time", s.collected, part)
	}
	was := s.collected
	s.Usage = Usage{40, 120}
	w.next = time.Unix(2, s.clock)
	if w.Short() || s.collected != was {
		t.Errorf("40 of 50 is too much, after %d collections", s.collected-was)
	}
	s.Usage = Usage{60, 120}
	if w.Short() {
		t.Error("there may be garbage, and nothing was collected: expected the last answer")
	}
	s.Usage = Usage{60, 120}
	s.garbage, w.next = 20, time.Time{}
	if w.Short() || s.Held != 40 {
		t.Errorf("garbage counts: %+v", s.Usage)
	}
	s.cost = int64(time.Hour) // it was stopped
	s.Usage, w.next = Usage{60, 60}, time.Time{}
	if !w.Short() || w.next.Sub(w.now()) != giveBackPauseMax {
		t.Errorf("the next collection is after %v", w.next.Sub(w.now()))
	}
}

// A bound that is not reached costs no collection.
func TestNothingIsCollectedBelowTheBound(t *testing.T) {
	s := &script{Usage: Usage{40, 50}}
	if w := s.watch(50); w.Short() || s.collected != 0 {
		t.Errorf("%d collections", s.collected)
	}
}

func TestTheLowestLimitCounts(t *testing.T) {
	host := fstest.MapFS{}
	for name, text := range map[string]string{
		"proc/self/mountinfo": "29 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
		"proc/self/cgroup":    "0::/system.slice/ssedge.service\n",
		"sys/fs/cgroup/system.slice/ssedge.service/memory.max": "500\n",
		"sys/fs/cgroup/system.slice/memory.high":               "400\n",
		"proc/meminfo":                                         "MemFree: 1 kB\nMemTotal:   3 kB\n",
	} {
		host[name] = &fstest.MapFile{Data: []byte(text)}
	}
	const none = math.MaxInt64
	for _, c := range []struct {
		goLimit int64
		rlimits []Limit
		want    Limit
	}{
		{none, nil, Limit{400, "/sys/fs/cgroup/system.slice/memory.high", true}},
		{300, []Limit{{350, "RLIMIT_AS", false}}, Limit{300, "GOMEMLIMIT", false}},
		{none, []Limit{{350, "RLIMIT_DATA", false}, {200, "RLIMIT_AS", false}},
			Limit{200, "RLIMIT_AS", false}},
	} {
		if got := Lowest(Limits(host, c.goLimit, c.rlimits)); got != c.want {
			t.Errorf("found %+v, expected %+v", got, c.want)
		}
	}
	delete(host, "sys/fs/cgroup/system.slice/memory.high")
	want := Limit{500, "/sys/fs/cgroup/system.slice/ssedge.service/memory.max", true}
	if got := Lowest(Limits(host, none, nil)); got != want {
		t.Errorf("%+v", got)
	}
	if got := Lowest(Limits(fstest.MapFS{}, none, nil)).Bytes; got != none {
		t.Errorf("no limit is %d", got)
	}
	if got := Physical(host).Bytes; got != 3<<10 {
		t.Errorf("a host of 3 KiB has %d", got)
	}
}
