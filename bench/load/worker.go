package load

import (
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"os"
	"os/exec"
	"sync"
	"syscall"
)

// A worker process serves one Client over its standard input and output, by net/rpc. It ends with
// its input.

// service is a Client's methods in the form that net/rpc takes.
type service struct{ client *Client }

// OpenArgs are those of Client.Open; net/rpc takes exported types only.
type OpenArgs struct {
	First, N int
	Rate     float64
}

// empty stands where a call has nothing to say; gob knows no empty type.
type empty = bool

func (s *service) Start(c Config, _ *empty) (err error) {
	s.client, err = NewClient(c)
	return err
}

func (s *service) Open(a OpenArgs, _ *empty) error {
	return s.client.Open(a.First, a.N, a.Rate)
}
func (s *service) StopOpening(empty, *empty) error       { return s.client.StopOpening() }
func (s *service) Drop(n int, r *int) (err error)        { *r, err = s.client.Drop(n); return err }
func (s *service) Reopen(rate float64, _ *empty) error   { return s.client.Reopen(rate) }
func (s *service) ReadNormally(empty, *empty) error      { return s.client.ReadNormally() }
func (s *service) Totals(_ empty, r *Totals) (err error) { *r, err = s.client.Totals(); return err }
func (s *service) Times(reset bool, r *Times) (err error) {
	*r, err = s.client.Times(reset)
	return err
}
func (s *service) Verify(p []Published, r *Verdicts) (err error) {
	*r, err = s.client.Verify(p)
	return err
}
func (s *service) Silent(least int, r *int) (err error) {
	*r, err = s.client.Silent(least)
	return err
}
func (s *service) Causes(_ empty, r *map[string]uint64) (err error) {
	*r, err = s.client.Causes()
	return err
}

// ServeWorker is what a worker process does until its input ends.
func ServeWorker(in io.ReadCloser, out io.WriteCloser) error {
	server, s := rpc.NewServer(), new(service)
	if err := server.RegisterName("load", s); err != nil {
		return err
	}
	server.ServeConn(pipe{in, out})
	if s.client != nil {
		return s.client.Close()
	}
	return nil
}

type pipe struct {
	io.ReadCloser
	out io.WriteCloser
}

func (p pipe) Write(b []byte) (int, error) { return p.out.Write(b) }
func (p pipe) Close() error {
	return errors.Join(p.out.Close(), p.ReadCloser.Close())
}

// remote is a Client in a worker process.
type remote struct {
	cmd   *exec.Cmd
	rpc   *rpc.Client
	conn  pipe
	ended func() string // ends it by ending its input, waits for that, and says how it ended
}

func startWorker(command []string, c Config) (*remote, error) {
	if len(command) == 0 {
		return nil,
			errors.New("load: more streams than this process may open files, and no command for workers")
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the parent, which ends it
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	conn := pipe{out, in}
	r := &remote{cmd: cmd, rpc: rpc.NewClient(conn), conn: conn,
		ended: sync.OnceValue(func() string {
			conn.Close()
			cmd.Wait()
			return cmd.ProcessState.String()
		})}
	if err := r.call("Start", c, new(empty)); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *remote) call(method string, args, reply any) error {
	err := r.rpc.Call("load."+method, args, reply)
	var said rpc.ServerError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &said):
		return fmt.Errorf("worker %d: %w", r.cmd.Process.Pid, err)
	}
	return fmt.Errorf("worker %d, with its streams, is gone (%s): %w", r.cmd.Process.Pid, r.ended(),
		err)
}

func (r *remote) Open(first, n int, rate float64) error {
	return r.call("Open", OpenArgs{first, n, rate}, new(empty))
}
func (r *remote) StopOpening() error            { return r.call("StopOpening", false, new(empty)) }
func (r *remote) Reopen(rate float64) error     { return r.call("Reopen", rate, new(empty)) }
func (r *remote) ReadNormally() error           { return r.call("ReadNormally", false, new(empty)) }
func (r *remote) Drop(n int) (d int, err error) { err = r.call("Drop", n, &d); return d, err }
func (r *remote) Totals() (t Totals, err error) {
	err = r.call("Totals", false, &t)
	return t, err
}
func (r *remote) Causes() (c map[string]uint64, err error) {
	err = r.call("Causes", false, &c)
	return c, err
}
func (r *remote) Times(reset bool) (t Times, err error) {
	err = r.call("Times", reset, &t)
	return t, err
}
func (r *remote) Verify(p []Published) (v Verdicts, err error) {
	err = r.call("Verify", p, &v)
	return v, err
}

func (r *remote) Silent(least int) (n int, err error) {
	err = r.call("Silent", least, &n)
	return n, err
}

// Close ends the worker by ending its input.
func (r *remote) Close() error {
	r.ended() // its streams were reset either way
	r.rpc.Close()
	return nil
}
