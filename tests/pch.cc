// A unit for the precompiled headers of tests.
