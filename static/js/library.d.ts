// The types of the chart library, for the checker; `paths` in tests/js/tsconfig.json finds them.
export * from "lightweight-charts";
