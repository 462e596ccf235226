/** Rows for tests, complete, with what matters to the test laid over. */
import { type RowValues, rowOf } from '../../src/storage/tables.ts'

export function auditRow(subject: string): readonly unknown[] {
  return rowOf('audit', {
    at: Date.UTC(2026, 0, 1),
    actor: 'a',
    role: 'admin',
    action: 'x',
    subject,
    result: 'ok',
    remote: '',
    detail: '',
    ...{ chain: '', seq: 0, prev_hash: '', hash: '' },
  })
}

export function callRow(over: Partial<RowValues<'calls'>>): readonly unknown[] {
  return rowOf('calls', {
    call_sid: 'CA1',
    track: 'inbound',
    account_sid: 'AC1',
    stream_sid: 'MZ1',
    run_id: 'embedded-1',
    from_number: '+15550001111',
    to_number: '+15550002222',
    direction: 'inbound',
    stir_verstat: '',
    state: 'live',
    started_at: Date.UTC(2026, 0, 1),
    ended_at: 0,
    end_reason: '',
    label: 'inconclusive',
    score: Number.NaN,
    has_score: false,
    confidence: 0,
    provisional: true,
    net_speech_ms: 0,
    audio_ms: 0,
    gap_ms: 0,
    lost_ms: 0,
    duplicates: 0,
    reasons_json: '[]',
    gaps_json: '[]',
    signals_json: '',
    model: 'voice/1',
    version: 1,
    ...over,
  })
}

export function windowRow(over: Partial<RowValues<'voice_windows'>>): readonly unknown[] {
  return rowOf('voice_windows', {
    call_sid: 'CA1',
    track: 'inbound',
    started_at: Date.UTC(2026, 0, 1),
    hop_start_ms: 0,
    start_ms: 0,
    end_ms: 500,
    score: 0.5,
    has_score: true,
    llr: 0.25,
    flags: 0,
    speech_ms: 500,
    filled_ms: 0,
    lost_ms: 0,
    label: 'inconclusive',
    model: 'voice/1',
    scored_at: Date.UTC(2026, 0, 1, 0, 0, 1),
    ...over,
  })
}
