/** The one door to the chart library, which is fetched at install. Its types come from library.d.ts. */
export * from "../vendor/lightweight-charts.mjs";
