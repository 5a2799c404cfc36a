package http1

// Parser finds and checks one request head in a growing buffer. It can stop and go on
// at any byte. It holds offsets and flags only, so it may be copied, and the
// buffer may move between calls. The zero value is ready for the first head, Reset
// makes it ready for the next. Not safe for concurrent use.
type Parser struct {
	length uint64 // Content-Length, when seen

	pos      uint32 // next byte to look at; at the end, the length of the head
	mark     uint32 // first byte of the version, field name or field value being read
	methodAt uint32
	targetAt uint32 // the method ends one byte before

	authorityAt, authorityEnd uint32 // of an absolute-form target; 0, 0 with other forms
	pathAt                    uint32 // 0 when an absolute-form has no path
	queryAt                   uint32 // the byte after '?'; 0 when there is none
	targetEnd                 uint32

	fieldsAt        uint32 // first byte after the request line
	hostAt, hostEnd uint32 // value of Host, with the blanks around it
	fields          uint32 // field lines begun

	phase      phase
	emptyLines uint8
	hexWanted  uint8 // digits missing of the %XX being read
	minor      uint8 // HTTP/1.<minor>
	field      field // which field is being read
	options    uint8 // connectionClose, connectionKeepAlive
	seen       uint16
}

// phase names what the next byte belongs to. The order is that of the input.
type phase uint8

const (
	phaseLead      phase = iota // empty lines, first byte of the method
	phaseLeadLF                 // LF of an empty line
	phaseMethod                 // rest of the method and its space
	phaseTarget                 // first byte of the target
	phaseAsterisk               // space after "*"
	phaseScheme                 // http:// or https://
	phaseAuthority              // host and port of an absolute-form
	phasePath
	phaseQuery
	phaseVersion // HTTP/1.x and CR
	phaseRequestLineLF
	phaseLine  // first byte of a field line, or CR of the last line
	phaseName  // rest of a field name and the colon
	phaseValue // a field value with blanks around it, and CR
	phaseValueLF
	phaseLastLF
	phaseDone
)

// Reset forgets the head read so far. The next Parse begins at the first byte of its buffer.
func (p *Parser) Reset() { *p = Parser{} }

// Parse goes on reading the head in buf, which must hold all bytes received so far for this
// head: the bytes of the last call, wherever they are in memory now, and perhaps more.
//
//   - err != nil: the head is refused. Answer err.Status and close. Nothing but Reset may
//     be called on p afterwards; h is untouched.
//   - done: the head is complete and took n bytes of buf; what follows in buf[n:] is body or
//     the next request. h is filled with slices into buf, valid while buf is
//     neither changed nor moved. Calling Parse again fills h again, so a buffer that moved
//     (to read a body, say) can have its head back.
//   - otherwise more bytes are needed. h is untouched, n is 0.
//
// Parse keeps neither buf nor h, and does not allocate.
func (p *Parser) Parse(buf []byte, lim *Limits, h *Head) (n int, done bool, err *Error) {
	in := buf
	if len(in) > lim.HeadBytes {
		in = in[:lim.HeadBytes]
	}
	for int(p.pos) < len(in) && p.phase != phaseDone {
		switch {
		case p.phase < phaseTarget:
			err = p.readMethod(in)
		case p.phase < phaseVersion:
			err = p.readTarget(in, lim.TargetBytes)
		case p.phase < phaseLine:
			err = p.readVersion(in)
		default:
			err = p.readFields(in, lim.HeadersMax)
		}
		if err != nil {
			return 0, false, err
		}
	}
	if p.phase == phaseDone {
		p.fill(h, buf)
		return int(p.pos), true, nil
	}
	if len(in) == lim.HeadBytes {
		return 0, false, errHeadLong
	}
	return 0, false, nil
}

// fill describes the complete head in buf. The slices have no spare capacity: appending
// to one must not write over its neighbour.
func (p *Parser) fill(h *Head, buf []byte) {
	cut := func(from, to uint32) []byte { return buf[from:to:to] }

	*h = Head{
		Method:         cut(p.methodAt, p.targetAt-1),
		Target:         cut(p.targetAt, p.targetEnd),
		Minor:          int(p.minor),
		KeepAlive:      p.keepAlive(),
		ContentLength:  -1,
		Chunked:        p.has(fieldTransferEncoding),
		ExpectContinue: p.has(fieldExpect) && p.minor > 0, // RFC 9110 10.1.1: ignored in HTTP/1.0
		Upgrade:        p.has(fieldUpgrade),
		lines:          cut(p.fieldsAt, p.pos-2),
		fields:         int(p.fields),
	}
	if p.has(fieldContentLength) {
		h.ContentLength = int64(p.length)
	}
	h.HasBody = h.Chunked || h.ContentLength > 0

	pathEnd := p.targetEnd
	if p.queryAt > 0 {
		pathEnd = p.queryAt - 1
		h.Query = cut(p.queryAt, p.targetEnd)
	}
	if p.pathAt > 0 {
		h.Path = cut(p.pathAt, pathEnd)
	} else { // http://host has the path "/" (RFC 9110 4.2.3): the slash before the host will do
		h.Path = cut(p.authorityAt-1, p.authorityAt)
	}
	if p.authorityAt > 0 {
		h.Authority = cut(p.authorityAt, p.authorityEnd)
	} else {
		h.Authority = trimBlanks(cut(p.hostAt, p.hostEnd))
	}
}
