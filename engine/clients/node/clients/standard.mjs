// What all clients with the interface of EventSource have in common.
export function listen (source, names, say) {
  for (const name of names) {
    source.addEventListener(name, e => say('message', { type: e.type, data: e.data, id: e.lastEventId }))
  }
  source.addEventListener('open', () => say('open'))
  source.addEventListener('error', e => say(source.readyState === 2 ? 'ended' : 'error', { why: String(e?.message ?? e?.type ?? e) }))
}

export const bearer = key => key ? { Authorization: `Bearer ${key}` } : {}
