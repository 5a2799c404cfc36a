// Package observe reads what a server and the kernel spend, from /proc.
package observe

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Server is the processes that serve: nginx has several. Its methods may be called from any goroutine.
type Server []int

// schedulersClock is the part of a process's CPU clock id that says what it counts: time on a processor, user and system
// together (CPUCLOCK_SCHED in Linux, include/linux/posix-timers_types.h).
const schedulersClock = 2

// CPU is the user and system time of all threads, dead ones too, to the nanosecond (clock_getcpuclockid(3)).
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
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) || errors.Is(err, syscall.EINVAL) {
		return fmt.Errorf("process %d is not there any more", pid)
	}
	return err
}

// PSS is the memory of the processes in bytes, pages that several share counted in part (proc(5),
// /proc/pid/smaps_rollup).
func (s Server) PSS() (int64, error) {
	var sum int64
	for _, pid := range s {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return 0, gone(pid, err)
		}
		pss, err := field(text, "Pss")
		if err != nil {
			return 0, fmt.Errorf("smaps_rollup: %w", err)
		}
		sum += pss
	}
	return sum, nil
}

// Peak is the most resident memory the processes have had, in bytes (VmHWM), since Settle or their start.
func (s Server) Peak() (int64, error) {
	var sum int64
	for _, pid := range s {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return 0, gone(pid, err)
		}
		peak, err := field(text, "VmHWM")
		if err != nil {
			return 0, fmt.Errorf("status: %w", err)
		}
		sum += peak
	}
	return sum, nil
}

// Settle makes the memory of now the peak (proc(5), clear_refs). It takes the right to write there.
func (s Server) Settle() error {
	for _, pid := range s {
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
			return err
		}
	}
	return nil
}

// field is the value of "name: n kB", in bytes; of "name n", as it is.
func field(text []byte, name string) (int64, error) {
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) < 2 || strings.TrimSuffix(words[0], ":") != name {
			continue
		}
		n, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("expected a number after %s, found %q", name, words[1])
		}
		if len(words) > 2 && words[2] == "kB" {
			n <<= 10
		}
		return n, nil
	}
	return 0, fmt.Errorf("expected a line %s, found none", name)
}
