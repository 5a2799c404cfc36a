package baseline

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

func TestStartGivesTheProgramASlackAndKeepsItsOwn(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := slack()
	var said bytes.Buffer
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+saySlack)
	cmd.Stdout = &said
	if err := Start(cmd); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || said.String() != fmt.Sprintln(int(startSlack)) {
		t.Errorf("the program says %q, %v", said.String(), err)
	}
	if err := Start(exec.Command("/nonexistent")); err == nil {
		t.Error("a program that is not there was started")
	}
	if after := slack(); after != before {
		t.Errorf("%d ns, %d before", after, before)
	}
}

func slack() int {
	ns, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		panic(err)
	}
	return ns
}
