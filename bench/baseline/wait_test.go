package baseline

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestAThreadWithNothingToDoLetsGoOfItsP(t *testing.T) {
	r := newRig(t)
	c := dial(t, r.addr)
	c.ask("a")
	r.turn(r.wait()) // from a standstill: the scheduler knew of this one
	if r.pulse.left != pulsesMax || r.streams() != 1 {
		t.Fatalf("%d pulses left, %d streams", r.pulse.left, r.streams())
	}
	for waits := 0; r.pulse.left > 0; waits++ {
		if waits == 100*pulsesMax { // signals end some of them
			t.Fatal("it does not")
		}
		r.turn(r.wait())
		if waits == 2 {
			c.Close()
			r.turn(r.wait())
			if r.pulse.left != pulsesMax {
				t.Errorf("%d pulses left after something to do", r.pulse.left)
			}
		}
	}
	var timer unix.ItimerSpec
	if err := unix.TimerfdGettime(int(r.pulse.timer), &timer); err != nil ||
		timer != (unix.ItimerSpec{}) {
		t.Errorf("the timer goes on: %+v, %v", timer, err)
	}
}
