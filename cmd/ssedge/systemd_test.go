package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ssedge/shard/sys"
)

// passing is sockets that a test holds and passes on, as systemd does.
type passing struct {
	files []*os.File
	names []string
}

// listen opens n sockets on an address for a name, and returns the address.
func (p *passing) listen(t *testing.T, name, network, address string, n int) net.Addr {
	t.Helper()
	fds, addr, err := sys.Listen(network, address, n, sys.SocketOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		p.add(t, name, os.NewFile(uintptr(fd), name))
	}
	return addr
}

func (p *passing) add(t *testing.T, name string, f *os.File) {
	t.Cleanup(func() { f.Close() })
	p.files, p.names = append(p.files, f), append(p.names, name)
}

// command runs ssedge serve with the sockets from descriptor 3 on. Only a process that
// knows its own number can say that they are for it: the shell does, and becomes ssedge.
func (p *passing) command(pid string, args ...string) *exec.Cmd {
	cmd := exec.Command("sh",
		append([]string{"-c", `LISTEN_PID=` + pid + ` exec "$0" serve "$@"`, os.Args[0]},
			args...)...)
	cmd.ExtraFiles = p.files
	cmd.Env = []string{fmt.Sprint("LISTEN_FDS=", len(p.files)),
		"LISTEN_FDNAMES=" + strings.Join(p.names, ":")}
	return cmd
}

func (p *passing) serve(t *testing.T, args ...string) *program {
	t.Helper()
	server := startCommand(t, p.command("$$", append(args, "--dev", "--admin=off")...))
	server.line() // it listens
	return server
}

// follow asks for a stream of topic t and returns what reads it: the answer may come later.
func follow(t *testing.T, addr net.Addr) *bufio.Reader {
	t.Helper()
	c := connect(t, addr)
	io.WriteString(c, streamRequest)
	return bufio.NewReader(c)
}

const streamRequest = "GET /events?topic=t HTTP/1.1\r\nHost: localhost\r\n\r\n"

func connect(t *testing.T, addr net.Addr) net.Conn {
	t.Helper()
	c, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		t.Fatalf("%s refuses: %v", addr, err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c
}

// begins fails unless a stream begins.
func begins(t *testing.T, r *bufio.Reader) {
	t.Helper()
	answer, err := http.ReadResponse(r, nil)
	if err != nil || answer.StatusCode != 200 {
		t.Fatalf("found %v, %v: expected a stream", answer, err)
	}
}

// TestSocketsOfSystemd: several of one name, one of another, TCP and unix, are listened
// on, said, and not inherited.
func TestSocketsOfSystemd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	var p passing
	web := p.listen(t, "web", "tcp", "127.0.0.1:0", 2)
	local := p.listen(t, "local", "unix", path, 1)
	p.listen(t, "spare", "tcp", "127.0.0.1:0", 1)
	server := startCommand(t,
		p.command("$$", "--dev", "--admin=off", "--listen=systemd:web,systemd:local"))
	for _, want := range []string{" listens on http://" + web.String(), " listens on unix:" +
		path} {
		if line := server.line(); !strings.HasSuffix(line, want) {
			t.Errorf("it says %q, expected %q", line, want)
		}
	}
	server.awaitSaid("name=spare")
	for range 8 { // at either socket
		begins(t, follow(t, web))
	}
	begins(t, follow(t, local))
	if n := inheritable(t, server.cmd.Process.Pid); n > 0 {
		t.Errorf("children would inherit %d sockets", n)
	}
	server.terminate()
	if code := server.exit(); code != 0 {
		t.Errorf("exit code %d, %s", code, server.said())
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the socket's path is not the server's to take away: %v", err)
	}
	if said := server.said(); strings.Contains(said, "name=web") ||
		strings.Contains(said, "name=local") {
		t.Errorf("sockets that are listened on are said not to be: %s", said)
	}
}

// inheritable counts the sockets of a process that a child would get (proc(5)).
func inheritable(t *testing.T, pid int) (n int) {
	t.Helper()
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil || len(links) == 0 {
		t.Fatalf("found %v, %v", links, err)
	}
	for _, link := range links {
		if to, err := os.Readlink(link); err != nil || !strings.HasPrefix(to, "socket:") {
			continue
		}
		info, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%s", pid, filepath.Base(link)))
		if err != nil {
			continue // closed in this moment
		}
		_, text, _ := strings.Cut(string(info), "flags:")
		flags, err := strconv.ParseInt(strings.Fields(text)[0], 8, 64)
		if err != nil {
			t.Fatal(err)
		}
		if flags&0o2000000 == 0 { // O_CLOEXEC
			n++
		}
	}
	return n
}

// oneEnds returns when one of two streams of a shard that drains has been told to go: the
// other follows much later, and nothing is accepted any more.
func oneEnds(one, another *bufio.Reader) {
	ended := make(chan struct{}, 2)
	for _, r := range []*bufio.Reader{one, another} {
		go func() { io.ReadAll(r); ended <- struct{}{} }()
	}
	<-ended
}

// TestARestartRefusesNoClient: a client that connects while the server drains, or while there
// is none, waits and is answered by the next one, whether it has asked already or asks later.
func TestARestartRefusesNoClient(t *testing.T) {
	for _, c := range []struct {
		name, network, address string
		sockets                int
	}{
		{"OneTCP", "tcp", "127.0.0.1:0", 1},
		{"SeveralTCP", "tcp", "127.0.0.1:0", 3},
		{"Unix", "unix", filepath.Join(t.TempDir(), "s"), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var p passing
			addr := p.listen(t, "web", c.network, c.address, c.sockets)
			server := p.serve(t, "--listen=systemd:web", "--shards=1", "--drain-rate=0.01",
				"--drain-timeout=1s")
			one, another := follow(t, addr), follow(t, addr)
			begins(t, one)
			begins(t, another)
			var asked []*bufio.Reader
			var silent []net.Conn
			come := func() {
				for range 8 {
					asked = append(asked, follow(t, addr))
					silent = append(silent, connect(t, addr))
				}
			}
			server.terminate()
			oneEnds(one, another)
			come()
			if code := server.exit(); code != 0 {
				t.Errorf("exit code %d, %s", code, server.said())
			}
			come()
			next := p.serve(t, "--listen=systemd:web")
			for _, r := range asked {
				begins(t, r)
			}
			for _, conn := range silent {
				io.WriteString(conn, streamRequest)
				begins(t, bufio.NewReader(conn))
			}
			next.terminate()
			if code := next.exit(); code != 0 {
				t.Errorf("exit code %d, %s", code, next.said())
			}
		})
	}
}

// TestADrainWithAQueueIsIdle: connections that wait for the next server do not keep this
// one busy, though the socket that they wait at is open elsewhere.
func TestADrainWithAQueueIsIdle(t *testing.T) {
	var p passing
	addr := p.listen(t, "web", "tcp", "127.0.0.1:0", 1)
	server := p.serve(t, "--listen=systemd:web", "--shards=1", "--drain-rate=0.01",
		"--drain-timeout=1h")
	one, another := follow(t, addr), follow(t, addr)
	begins(t, one)
	begins(t, another)
	server.terminate()
	oneEnds(one, another)
	for range 8 {
		follow(t, addr)
	}
	before := processorTime(t, server.cmd.Process.Pid)
	const span = time.Second
	time.Sleep(span) // what is measured is what happens in it
	if took := processorTime(t, server.cmd.Process.Pid) - before; took > span/2 {
		t.Errorf("it has computed for %v of %v", took, span)
	}
}

// processorTime is what a process has used (proc(5), stat), in steps of 10 ms.
func processorTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

// TestSocketsForAnother process are none for this one.
func TestSocketsForAnother(t *testing.T) {
	var p passing
	p.listen(t, "web", "tcp", "127.0.0.1:0", 1)
	server := startCommand(t, p.command("1", "--dev", "--admin=off", "--listen=systemd:web"))
	code := server.exit()
	oneLine(t, server.said(), code, "--listen systemd:web: ", "FileDescriptorName=",
		"none was passed")
}

// TestWhatSystemdMustNotPass, and what it has not passed, is one clear line.
func TestWhatSystemdMustNotPass(t *testing.T) {
	notRaced(t)
	var p passing
	p.listen(t, "web", "tcp4", "0.0.0.0:0", 1)
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	datagrams, err := conn.File()
	if err != nil {
		t.Fatal(err)
	}
	p.add(t, "udp", datagrams)
	for _, c := range []struct {
		args []string
		says []string
	}{
		{[]string{"--listen=systemd:udp,systemd:web", "--key=a-long-enough-secret"},
			[]string{"--listen systemd:udp: ", "expected a listening stream socket",
				"ListenStream=", "found a datagram socket"}},
		{[]string{"--listen=systemd:udp,systemd:web,systemd:wbe", "--key=a-long-enough-secret"},
			nil},
		{[]string{"--listen=systemd:web,systemd:wbe,systemd:udp", "--key=a-long-enough-secret"},
			[]string{"--listen systemd:wbe: ", "passed were udp, web"}},
		{[]string{"--listen=systemd:web,systemd:udp", "--dev"}, []string{"datagram"}},
		{[]string{"--listen=systemd:web,127.0.0.1:0", "--dev"},
			[]string{"--dev", "loopback", "0.0.0.0:"}},
		{[]string{"--listen=systemd:", "--dev"},
			[]string{"--listen systemd:: ", "FileDescriptorName="}},
		{[]string{"--listen=systemd:a b", "--dev"},
			[]string{"--listen systemd:a b: ", "FileDescriptorName="}},
		{[]string{"--listen=127.0.0.1:0", "--admin=systemd:web", "--dev"},
			[]string{"--admin systemd:web: expected host:port"}},
	} {
		server := startCommand(t,
			p.command("$$", append([]string{"--admin=off", "--log-level=error"}, c.args...)...))
		code := server.exit()
		oneLine(t, server.said(), code, c.says...)
	}
}

// TestCheckNeedsNoSockets: none are passed to it.
func TestCheckNeedsNoSockets(t *testing.T) {
	if _, errors, code := run(t, "serve", "--check", "--dev", "--listen=systemd:web"); code != 0 {
		t.Errorf("exit code %d, %s", code, errors)
	}
}

// TestASocketWithoutAName is called unknown, as sd_listen_fds_with_names(3) does.
func TestASocketWithoutAName(t *testing.T) {
	var p passing
	addr := p.listen(t, "", "tcp", "127.0.0.1:0", 1)
	p.serve(t, "--listen=systemd:unknown")
	begins(t, follow(t, addr))
}

// TestARestartUnderLoad: clients that come without a pause, from before the drain until
// after the next server's start, all get a stream or have their event taken, none a refusal.
func TestARestartUnderLoad(t *testing.T) {
	var p passing
	addr := p.listen(t, "web", "tcp", "127.0.0.1:0", 2)
	server := p.serve(t, "--listen=systemd:web", "--log-level=warn")
	const clients = 8
	var served atomic.Int64
	var stop atomic.Bool
	var all sync.WaitGroup
	for i := range clients {
		request := streamRequest
		if i%2 == 0 {
			request = "POST /publish?topic=t HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx"
		}
		all.Go(func() {
			for !stop.Load() {
				c, err := net.Dial("tcp", addr.String())
				if err != nil {
					t.Errorf("refused: %v", err)
					return
				}
				c.SetDeadline(time.Now().Add(patience))
				io.WriteString(c, request)
				answer, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err != nil || answer.StatusCode != 200 {
					t.Errorf("found %v, %v: expected an answer to %.20q", answer, err, request)
				}
				c.Close()
				served.Add(1)
			}
		})
	}
	more := func() {
		t.Helper()
		from := served.Load()
		await(t, "clients to be served", func() (bool, string) {
			n := served.Load() - from
			return n > 10*clients, fmt.Sprint(n)
		})
	}
	for range 5 {
		more()
		server.terminate()
		if code := server.exit(); code != 0 {
			t.Errorf("exit code %d, %s", code, server.said())
		}
		server = p.serve(t, "--listen=systemd:web", "--log-level=warn")
	}
	more()
	stop.Store(true)
	all.Wait()
}
