"""Speed of single parts, without a graph: simulation, bags, gate, retrieval, frames, LLM client."""
