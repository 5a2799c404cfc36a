package mark

import (
	"encoding/json"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestAMarkIsFoundInWhateverIsAroundIt(t *testing.T) {
	for range 1000 {
		want := Mark{Topic: rand.Uint32N(TopicsMax), Seq: rand.Uint32N(SeqMax + 1),
			Due: Time(rand.Uint64N(dueMask + 1))}
		size := Bytes + rand.IntN(100)
		payload := string(Append(nil, want, size))
		if len(payload) != size {
			t.Fatalf("expected %d bytes, found %q", size, payload)
		}
		quoted, _ := json.Marshal(payload)
		if string(quoted) != `"`+payload+`"` || url.QueryEscape(payload) != payload {
			t.Fatalf("%q needs escapes", payload)
		}
		before := strings.Repeat("~a", rand.IntN(5))
		for _, hint := range []int{0, len(before), 7} {
			if found, at := Find([]byte(before+payload+"~end"), hint); found != want ||
				at != len(before) {
				t.Fatalf("expected %+v at %d, found %+v at %d in %q", want, len(before), found, at,
					before+payload)
			}
		}
	}
}

func TestWhatIsNoMark(t *testing.T) {
	whole := Append(nil, Mark{1, 2, 3}, Bytes)
	for cut := range whole {
		if _, at := Find(whole[:cut], 0); at != -1 {
			t.Errorf("found a mark in %q", whole[:cut])
		}
		damaged := append([]byte(nil), whole...)
		damaged[cut] = ' '
		if _, at := Find(damaged, 0); at != -1 {
			t.Errorf("found a mark in %q", damaged)
		}
	}
}

func TestTimesCountOn(t *testing.T) {
	start := time.Now()
	a := At(start)
	if d := At(start.Add(1500 * time.Microsecond)).Since(a); d != 1500*time.Microsecond {
		t.Errorf("expected 1.5 ms, found %v", d)
	}
	if d := Time(5).Since(Time(dueMask - 4)); d != 10*time.Microsecond {
		t.Errorf("expected 10 us over the end, found %v", d)
	}
	if d := Time(dueMask).Add(time.Millisecond).Since(dueMask); d != time.Millisecond {
		t.Errorf("expected 1 ms, found %v", d)
	}
	system := Time(monotonic().Microseconds()) & dueMask
	if d := Now().Since(system); d > time.Second {
		t.Errorf("the clock of this process is %v from the system's", d)
	}
}

func BenchmarkFind(b *testing.B) {
	line := append([]byte("data: "), Append(nil, Mark{1, 2, 3}, 100)...)
	for b.Loop() {
		if _, at := Find(line, 6); at != 6 {
			b.Fatal(at)
		}
	}
}
