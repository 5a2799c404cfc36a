package observe

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/procfs"
)

// proc makes a /proc of files.
func proc(t *testing.T, files map[string]string) procfs.FS {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p, err := procfs.NewFS(dir)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const (
	sockstat = "sockets: used 300\nTCP: inuse 27 orphan 0 tw 5 alloc 31 mem 3\nUDP: inuse 1 mem 2\n"
	meminfo  = "MemTotal: 1000 kB\nSUnreclaim: 77 kB\n"
	slabs    = `slabinfo - version: 2.1
# name  <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables …
TCP                   40     52   2432   13    8 : tunables    0    0    0 : slabdata      4      4      0
kmalloc-64          1000   1000     64   64    1 : tunables    0    0    0 : slabdata     16     16      0
`
)

// TestKernel: without slabinfo, which only root may read, all that cannot be reclaimed counts.
func TestKernel(t *testing.T) {
	files := map[string]string{"net/sockstat": sockstat, "meminfo": meminfo, "slabinfo": slabs}
	k, err := readKernel(proc(t, files))
	if err != nil || k.Sockets != 27 || k.Buffers != 3*int64(os.Getpagesize()) ||
		k.Objects != 40*2432 ||
		len(k.Caches) != 1 || k.Caches["TCP"] != 40*2432 {
		t.Errorf("%v, %+v", err, k)
	}
	delete(files, "slabinfo")
	if k, err := readKernel(proc(t, files)); err != nil || k.Objects != 77<<10 ||
		len(k.Caches) != 0 {
		t.Errorf("%v, %+v", err, k)
	}
	files["slabinfo"] = slabs + "filp many\n" // it breaks off: half of the caches would be worse
	if k, err := readKernel(proc(t, files)); err != nil || k.Objects != 77<<10 ||
		len(k.Caches) != 0 {
		t.Errorf("%v, %+v", err, k)
	}
	delete(files, "slabinfo")
	for name, texts := range map[string][]string{
		"net/sockstat": {"", "UDP: inuse 1 mem 2\n", "TCP: inuse many mem 3\n",
			"TCP: inuse 1 tw 3\n"},
		"meminfo": {"", "SUnreclaim: lots kB\n"},
	} {
		for _, text := range texts {
			broken := maps.Clone(files)
			broken[name] = text
			if k, err := readKernel(proc(t, broken)); err == nil {
				t.Errorf("%s %q: expected an error, found %+v", name, text, k)
			}
		}
	}
}

func TestThisMachine(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if k, err := ReadKernel(); err != nil || k.Sockets < 1 || k.Objects < 1 {
		t.Errorf("%v, %+v", err, k)
	}
}

// TestListeners finds this process, whether it listens on IPv4 or IPv6, and says so if no process
// listens.
func TestListeners(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", address)
		if errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) {
			t.Logf("%s: %v: this machine has no IPv6", address, err)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		at := l.Addr().(*net.TCPAddr).AddrPort()
		// A connection from the port is no listener's.
		if found, err := Listeners(at); err != nil || !slices.Contains(found, os.Getpid()) {
			t.Errorf("%s: expected %d, found %v, %v", l.Addr(), os.Getpid(), found, err)
		}
		l.Close()
	}
	// Bound and not listening: no other process can take this port.
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	port := name.(*syscall.SockaddrInet4).Port
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if found, err := Listeners(netip.AddrPortFrom(loopback, uint16(port))); err == nil ||
		!strings.Contains(err.Error(), fmt.Sprintf("nothing listens on 127.0.0.1:%d", port)) {
		t.Errorf("found %v, %v", found, err)
	}
}

func TestThisProcess(t *testing.T) {
	self := Server{os.Getpid()}
	if d, err := self.CPU(); err != nil || d < 0 {
		t.Errorf("found %v, %v", d, err)
	}
	pss, err := self.PSS()
	if err != nil || pss < 1<<20 {
		t.Errorf("found %d, %v", pss, err)
	}
	if err := self.Settle(); err != nil {
		t.Errorf("found %v", err)
	}
	peak, err := self.Peak()
	if err != nil || peak < 1<<20 {
		t.Errorf("found %d, %v", peak, err)
	}
	if twice, err := (Server{os.Getpid(), os.Getpid()}).Peak(); err != nil || twice <= peak {
		t.Errorf("expected the sum of two, found %d and %d for one, %v", twice, peak, err)
	}
}

// TestAProcessThatIsGone is named, also while it still waits for its parent.
func TestAProcessThatIsGone(t *testing.T) {
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	io.Copy(io.Discard, out) // it has closed everything, and is a zombie soon
	s := Server{cmd.Process.Pid}
	says := fmt.Sprintf("process %d is not there any more", s[0])
	cmd.Wait()
	_, cpu := s.CPU()
	_, pss := s.PSS()
	_, peak := s.Peak()
	for _, err := range []error{cpu, pss, peak,
		gone(s[0], &os.PathError{Op: "read", Path: "smaps_rollup", Err: syscall.ESRCH})} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("expected %q, found %v", says, err)
		}
	}
}

func TestMetrics(t *testing.T) {
	page := `# HELP process_cpu_seconds_total CPU time.
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total_of_others 99
process_cpu_seconds_total 12.5
process_resident_memory_bytes 1.048576e+06 1700000000000
process_resident_memory_peak_bytes much
`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/metrics":
			io.WriteString(w, page)
		case "/empty":
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	m := &Metrics{URL: server.URL + "/metrics"}
	if d, err := m.CPU(); err != nil || d != 12500*time.Millisecond {
		t.Errorf("found %v, %v", d, err)
	}
	if n, err := m.PSS(); err != nil || n != 1<<20 {
		t.Errorf("found %v, %v", n, err)
	}
	if err := m.Settle(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("found %v", err)
	}
	says := func(err error, parts ...string) {
		t.Helper()
		for _, part := range append(parts, server.URL) {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("expected %q, found %v", part, err)
			}
		}
	}
	_, err := m.Peak()
	says(err, "process_resident_memory_peak_bytes", "much")
	_, err = (&Metrics{URL: server.URL + "/empty"}).CPU()
	says(err, "process_cpu_seconds_total", "none")
	_, err = (&Metrics{URL: server.URL + "/elsewhere"}).CPU()
	says(err, "404")
	server.Close()
	_, err = m.CPU()
	says(err, "refused")
}

// TestValuesThatCannotBe are no readings.
func TestValuesThatCannotBe(t *testing.T) {
	t.Parallel()
	value := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "process_cpu_seconds_total %s\n", <-value)
	}))
	defer server.Close()
	for _, text := range []string{"NaN", "+Inf", "-1", "1e300"} {
		value <- text
		if d, err := (&Metrics{URL: server.URL}).CPU(); err == nil ||
			!strings.Contains(err.Error(), text) {
			t.Errorf("%s: found %v, %v", text, d, err)
		}
	}
}

// TestAPageThatDoesNotAnswer is asked once.
func TestAPageThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		<-r.Context().Done()
	}))
	defer server.Close()
	m := &Metrics{URL: strings.Replace(server.URL, "http://", "http://bob:hunter2@", 1)}
	for range 3 {
		if _, err := m.PSS(); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("found %v", err)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// TestListenersElsewhere on the same port is another server.
func TestListenersElsewhere(t *testing.T) {
	for local, want := range map[string]bool{
		"0100007F:1F90": true, "0200007F:1F90": false, "0100007F:1F91": false,
		"00000000:1F90":                         true,
		"00000000000000000000000000000000:1F90": true,
		"0000000000000000FFFF00000100007F:1F90": true,
		"00000000000000000000000001000000:1F90": false, "nonsense": false, "0100007F": false,
	} {
		if got := accepts(local, netip.MustParseAddrPort("127.0.0.1:8080")); got != want {
			t.Errorf("%s: found %v", local, got)
		}
	}
	for local, want := range map[string]bool{"00000000000000000000000001000000:1F90": true,
		"00000000:1F90": false, "00000000000000000000000000000000:1F90": true} {
		if got := accepts(local, netip.MustParseAddrPort("[::1]:8080")); got != want {
			t.Errorf("%s: found %v", local, got)
		}
	}
}
