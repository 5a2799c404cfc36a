package baseline

import (
	"fmt"
	"os/exec"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// startSlack is how late the timers of a program begun by Start may be.
const startSlack = 100 * time.Millisecond

// Start starts a program that is going to serve and nothing else. It differs from cmd.Start in that
// the program is begun with a timer slack (prctl(2), PR_SET_TIMERSLACK), which all its threads
// inherit: the Go runtime's monitor, which as long as a thread keeps its P wakes every 10 ms, then
// does so only when its processor is awake anyway, or after 100 ms. Otherwise it is charged to the
// streams: 8 % of the heartbeats that 15,000 streams get every 2 s, 85 % of those every 30 s, 1 %
// of accepting a stream. The threads of the loop have no timer that has a slack.
func Start(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		return fmt.Errorf("baseline: prctl: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(startSlack), 0, 0, 0); err != nil {
		return fmt.Errorf("baseline: prctl: %w", err)
	}
	defer unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(before), 0, 0, 0)
	return cmd.Start()
}
