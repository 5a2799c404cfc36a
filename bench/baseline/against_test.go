package baseline

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ssedge/bench/freeport"
)

var (
	rounds  = flag.Int("rounds", 7, "BenchmarkAgainst: trials of each program")
	streams = flag.Int("streams", 15_000,
		"BenchmarkAgainst: streams, or fewer if so many files may not be open")
	broadcasts = flag.Int("broadcasts", 20, "BenchmarkAgainst: measured broadcasts in a trial")
)

const (
	dataBytes = 100
	// the first to reach a socket makes the kernel grow its buffers
	warmBroadcasts = 2
	pause          = 20 * time.Millisecond // after a broadcast has arrived everywhere
	settle         = 200 * time.Millisecond
	childLife      = 60  // seconds
	filesSpare     = 100 // files that are no streams
)

// childVariable makes the test program another one: it serves, on the address and with the number
// of threads that are the value, or says its timer slack.
const (
	childVariable = "LIMIT_TEST_CHILD"
	saySlack      = "slack"
)

func TestMain(m *testing.M) {
	switch value := os.Getenv(childVariable); value {
	case "":
		os.Exit(m.Run())
	case saySlack:
		fmt.Println(slack())
	default:
		fmt.Fprintln(os.Stderr, child(value))
		os.Exit(1)
	}
}

func child(serve string) error {
	var listen string
	var threads int
	if _, err := fmt.Sscan(serve, &listen, &threads); err != nil {
		return err
	}
	debug.SetGCPercent(-1) // nothing allocates
	time.AfterFunc(childLife*time.Second, func() { os.Exit(1) })
	s, err := Listen(Config{Listen: netip.MustParseAddrPort(listen), Threads: threads})
	if err != nil {
		return err
	}
	return s.Serve(context.Background())
}

// costs are microseconds of the server's CPU.
type costs struct{ accept, deliver float64 }

// trial starts a server, opens streams and broadcasts to them. Every stream must get every byte.
func trial(t testing.TB, cmd *exec.Cmd, target netip.AddrPort, streams, broadcasts int) costs {
	t.Helper()
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := Start(cmd); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Log("the server said: ", said.String())
		}
	}()
	ready(t, target)
	c := newCrowd(t, target)
	defer c.close()

	time.Sleep(settle)
	before := cpu(t, cmd.Process.Pid)
	c.open(streams)
	time.Sleep(settle)
	accepted := cpu(t, cmd.Process.Pid) - before

	event := len("data: ") + dataBytes + len("\nid: ") + idDigits + len(idEnd)
	data := bytes.Repeat([]byte("x"), dataBytes)
	for i := range warmBroadcasts + broadcasts {
		if i == warmBroadcasts {
			before = cpu(t, cmd.Process.Pid)
		}
		c.publish(data)
		c.await(streams * (len(streamHead) + (i+1)*event))
		time.Sleep(pause)
	}
	delivered := cpu(t, cmd.Process.Pid) - before
	c.verify(len(streamHead) + (warmBroadcasts+broadcasts)*event)
	return costs{
		accept:  float64(accepted) / 1e3 / float64(streams),
		deliver: float64(delivered) / 1e3 / float64(streams*broadcasts),
	}
}

// ready waits until the server listens.
func ready(t testing.TB, target netip.AddrPort) {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", target.String())
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// cpu is what all threads of another process have used, to the nanosecond: its CPU clock
// (clock_getcpuclockid(3)).
func cpu(t testing.TB, pid int) int64 {
	const schedulersClock = 2
	var used unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|schedulersClock), &used); err != nil {
		t.Fatal("clock_gettime: ", err)
	}
	return used.Nano()
}

// servers are the two programs, to be started on an address with a number of threads.
func servers(t testing.TB) (c, g func(target netip.AddrPort, threads int) *exec.Cmd) {
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		t.Fatal("compiles baseline.c: no gcc on the PATH; `make test` installs it")
	}
	program := filepath.Join(t.TempDir(), "baseline")
	if said, err := exec.Command(gcc, "-O2", "-pthread", "-o", program, "baseline.c").
		CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, said)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c = func(target netip.AddrPort, threads int) *exec.Cmd {
		return exec.Command(program, "-p", strconv.Itoa(int(target.Port())), "-t",
			strconv.Itoa(threads),
			"-s", strconv.Itoa(dataBytes), "-d", strconv.Itoa(childLife))
	}
	g = func(target netip.AddrPort, threads int) *exec.Cmd {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%v %d", childVariable, target, threads))
		return cmd
	}
	return c, g
}

// free is a loopback address on which nothing listens now.
func free(t testing.TB) netip.AddrPort {
	free, err := freeport.Addresses(1)
	if err != nil {
		t.Fatal(err)
	}
	return free[0]
}

// TestStreamsGetWhatTheCProgramSends: crowd holds both to the same bytes.
func TestStreamsGetWhatTheCProgramSends(t *testing.T) {
	c, g := servers(t)
	for _, server := range []func(netip.AddrPort, int) *exec.Cmd{c, g} {
		target := free(t)
		if cost := trial(t, server(target, 2), target, 100, 2); cost.accept <= 0 ||
			cost.deliver <= 0 {
			t.Errorf("%+v", cost)
		}
	}
}

// BenchmarkAgainst alternates the C program and this package, and reports what a stream and a
// delivery cost each, and the ratio of the medians. One run is one measurement, however often b
// asks for it.
//
//	go test -run '^$' -bench Against ./bench/baseline -args -rounds 11
func BenchmarkAgainst(b *testing.B) {
	c, g := servers(b)
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		b.Fatal(err)
	}
	count := min(*streams, int(files.Cur)-filesSpare)
	for _, threads := range []int{1, 2} {
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
			var cs, gs []costs
			for round := range *rounds {
				inC := func() {
					at := free(b)
					cs = append(cs, trial(b, c(at, threads), at, count, *broadcasts))
				}
				inGo := func() {
					at := free(b)
					gs = append(gs, trial(b, g(at, threads), at, count, *broadcasts))
				}
				if round%2 == 1 {
					inGo()
					inC()
				} else {
					inC()
					inGo()
				}
				b.Logf("us of CPU per stream and per delivery: C %.2f and %.3f, Go %.2f and %.3f",
					cs[round].accept, cs[round].deliver, gs[round].accept, gs[round].deliver)
			}
			report(b, "stream", cs, gs, func(c costs) float64 { return c.accept })
			report(b, "delivery", cs, gs, func(c costs) float64 { return c.deliver })
			b.ReportMetric(0, "ns/op") // means nothing here
		})
	}
}

func report(b *testing.B, item string, cs, gs []costs, of func(costs) float64) {
	median := func(all []costs) float64 {
		var values []float64
		for _, c := range all {
			values = append(values, of(c))
		}
		slices.Sort(values)
		return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
	}
	b.ReportMetric(median(cs), "C-us/"+item)
	b.ReportMetric(median(gs), "Go-us/"+item)
	b.ReportMetric(median(gs)/median(cs), "Go/C-"+item)
}
