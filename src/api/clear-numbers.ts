/**
 * `?numbers=clear`: in mode `privacy.numbers: tokens` answers show tokens, and with it the numbers, to who has scope
 * `numbers:clear` (role admin has it). Each such read is an audit row. In mode `clear` it changes nothing. Pure.
 */
import { z } from 'zod'

/** Part of the query of each route that reveals. */
export const clearNumbersQuery = {
  numbers: z
    .enum(['clear'])
    .optional()
    .meta({ description: 'Numbers that are stored as tokens in clear; needs scope numbers:clear' }),
}

export function asksClear(query: string): boolean {
  return new URLSearchParams(query).get('numbers') === 'clear'
}
