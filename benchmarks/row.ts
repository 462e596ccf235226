/** One line of the benchmark table: what was measured, beside its baseline of the same run and its budget. */

export interface BenchmarkRow {
  name: string
  value: number
  unit: string
  baseline?: { name: string; value: number }
  budget?: { must: number; aim: number }
}
