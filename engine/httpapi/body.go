package httpapi

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// patientBody is a body whose publisher may take as long as it likes, but not be
// silent for longer than the body timeout. The answer has that long from then on.
type patientBody struct {
	io.Reader
	control *http.ResponseController
	timeout time.Duration
}

func (s *Public) patiently(w http.ResponseWriter, r *http.Request) *patientBody {
	return &patientBody{r.Body, http.NewResponseController(w), s.config.BodyTimeout}
}

func (b *patientBody) Read(p []byte) (int, error) {
	b.control.SetReadDeadline(time.Now().Add(b.timeout))
	return b.Reader.Read(p)
}

// mayWrite gives what is written next its time.
func (b *patientBody) mayWrite() { b.control.SetWriteDeadline(time.Now().Add(b.timeout)) }

// broken is the answer to a client whose body cannot be read. It leaves out the error itself, which
// may contain addresses of this server.
func (b *patientBody) broken(err error) *problem {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &problem{408, "body_timeout", fmt.Sprintf("nothing of the body came for %v", b.timeout), 0}
	}
	return bad("short_body", "the body ended early, or its chunks cannot be read")
}
