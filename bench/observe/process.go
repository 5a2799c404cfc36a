// Package observe reads what a server and the kernel spend, from /proc.
package observe

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// Server is the processes that serve: nginx has several. Its methods may be called from any
// goroutine.
type Server []int

// schedulersClock is the part of a process's CPU clock id that says what it counts: time on a
// processor, user and system together (CPUCLOCK_SCHED in Linux,
// include/linux/posix-timers_types.h).
const schedulersClock = 2

// CPU is the user and system time of all threads, dead ones too, to the nanosecond
// (clock_getcpuclockid(3)); /proc/pid/stat has it to 10 ms.
func (s Server) CPU() (time.Duration, error) {
	var sum time.Duration
	for _, pid := range s {
		if pid <= 0 {
			return 0, fmt.Errorf("expected a process, found %d", pid)
		}
		var used unix.Timespec
		if err := unix.ClockGettime(int32(^pid<<3|schedulersClock), &used); err != nil {
			return 0, gone(pid, err)
		}
		sum += time.Duration(used.Nano())
	}
	return sum, nil
}

func gone(pid int, err error) error {
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) ||
		errors.Is(err, syscall.EINVAL) {
		return fmt.Errorf("process %d is not there any more", pid)
	}
	return err
}

// PSS is the memory of the processes in bytes, pages that several share counted in part (proc(5),
// /proc/pid/smaps_rollup).
func (s Server) PSS() (int64, error) {
	return s.sum(func(p procfs.Proc) (uint64, error) {
		r, err := p.ProcSMapsRollup()
		return r.Pss, err
	})
}

// Peak is the most resident memory the processes have had, in bytes (VmHWM), since Settle or their
// start.
func (s Server) Peak() (int64, error) {
	return s.sum(func(p procfs.Proc) (uint64, error) {
		status, err := p.NewStatus()
		if err == nil && status.VmHWM == 0 { // a zombie has no memory, and a status without it
			err = os.ErrNotExist
		}
		return status.VmHWM, err
	})
}

// sum adds up what is read of each process.
func (s Server) sum(read func(procfs.Proc) (uint64, error)) (sum int64, err error) {
	for _, pid := range s {
		var n uint64
		p, err := procfs.NewProc(pid)
		if err == nil {
			n, err = read(p)
		}
		if err != nil {
			return 0, gone(pid, err)
		}
		sum += int64(n)
	}
	return sum, nil
}

// Settle makes the memory of now the peak (proc(5), clear_refs). It takes the right to write there.
func (s Server) Settle() error {
	for _, pid := range s {
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"),
			0); err != nil {
			return err
		}
	}
	return nil
}
