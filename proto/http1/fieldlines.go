package http1

// readFields reads field lines (RFC 9112 5) and the empty line that ends the head.
func (p *Parser) readFields(in []byte, linesMax int) *Error {
	for int(p.pos) < len(in) && p.phase != phaseDone {
		var err *Error
		switch p.phase {
		case phaseLine:
			err = p.readLineStart(in[p.pos], linesMax)
		case phaseName:
			err = p.readName(in)
		case phaseValue:
			err = p.readValue(in)
		case phaseValueLF:
			err = p.endValue(in)
		default:
			err = p.endFields(in[p.pos])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readLineStart tells a field line from the last line by its first byte.
func (p *Parser) readLineStart(c byte, linesMax int) *Error {
	switch {
	case c == '\r':
		p.phase = phaseLastLF
		p.pos++
		return nil
	case c == '\n':
		return errLineEnd
	case c == ' ' || c == '\t':
		return errFold
	case int(p.fields) == linesMax:
		return errHeadFields
	}
	p.fields++
	p.mark = p.pos
	p.phase = phaseName // which looks at c again
	return nil
}

func (p *Parser) readName(in []byte) *Error {
	p.pos += uint32(tokenByte.run(in[p.pos:]))
	if int(p.pos) == len(in) {
		return nil
	}
	name := in[p.mark:p.pos]
	if in[p.pos] != ':' || len(name) == 0 {
		return errFieldName
	}
	if err := p.beginField(fieldNamed(name)); err != nil {
		return err
	}
	p.pos++
	p.mark = p.pos
	p.phase = phaseValue
	return nil
}

func (p *Parser) readValue(in []byte) *Error {
	p.pos += uint32(valueByte.run(in[p.pos:]))
	if int(p.pos) == len(in) {
		return nil
	}
	switch in[p.pos] {
	case '\r':
		p.phase = phaseValueLF
		p.pos++
		return nil
	case '\n':
		return errLineEnd
	default:
		return errFieldValue
	}
}

// endValue is called on the byte after the CR of a field line.
func (p *Parser) endValue(in []byte) *Error {
	if in[p.pos] != '\n' {
		return errLineEnd
	}
	value := trimBlanks(in[p.mark : p.pos-1])
	if err := p.endField(value); err != nil {
		return err
	}
	p.pos++
	p.phase = phaseLine
	return nil
}

// endFields is called on the byte after the CR of the last line.
func (p *Parser) endFields(c byte) *Error {
	if c != '\n' {
		return errLineEnd
	}
	if p.minor > 0 && !p.has(fieldHost) {
		return errHostMissing
	}
	p.pos++
	p.phase = phaseDone
	return nil
}
