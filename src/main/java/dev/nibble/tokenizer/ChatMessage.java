package dev.nibble.tokenizer;

/** A turn of a conversation; {@code role} is usually system, user or assistant. */
public record ChatMessage(String role, String content) {}
