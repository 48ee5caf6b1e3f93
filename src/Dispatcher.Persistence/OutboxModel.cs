using Dispatcher.Persistence.Tables;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Dispatcher.Persistence;

/// <summary>Adds the inbox and the outbox to an EF Core model.</summary>
public static class OutboxModel
{
    /// <summary>
    /// Adds both tables, with the columns of <see cref="OutboxDdl"/>. All statements of the library read the names from the model, so a
    /// naming convention or a default schema applies to them too.
    /// </summary>
    /// <param name="modelBuilder">The model of the context that consumers write with.</param>
    /// <param name="inboxTable">One row for each message and consumer.</param>
    /// <param name="outboxTable">One row for each message that is not sent yet.</param>
    /// <param name="schema">Null: the default schema of the model.</param>
    public static ModelBuilder AddOutbox(
        this ModelBuilder modelBuilder,
        string inboxTable = "mt_inbox",
        string outboxTable = "mt_outbox",
        string? schema = null
    )
    {
        ConfigureInbox(modelBuilder.Entity<InboxRow>(), inboxTable, schema);
        ConfigureOutbox(modelBuilder.Entity<OutboxRow>(), outboxTable, schema);
        return modelBuilder;
    }

    private static void ConfigureInbox(EntityTypeBuilder<InboxRow> row, string table, string? schema)
    {
        row.ToTable(table, schema).HasKey(r => new { r.MessageId, r.ConsumerId });
        row.Property(r => r.MessageId).HasColumnName("message_id");
        row.Property(r => r.ConsumerId).HasColumnName("consumer_id");
        row.Property(r => r.ReceivedAt).HasColumnName("received_at");
        row.HasIndex(r => r.ReceivedAt).HasDatabaseName($"{table}_received_at");
    }

    private static void ConfigureOutbox(EntityTypeBuilder<OutboxRow> row, string table, string? schema)
    {
        row.ToTable(table, schema).HasKey(r => r.SequenceNumber);
        row.Property(r => r.SequenceNumber).HasColumnName("sequence_number").ValueGeneratedOnAdd();
        row.Property(r => r.MessageId).HasColumnName("message_id");
        row.Property(r => r.InboxMessageId).HasColumnName("inbox_message_id");
        row.Property(r => r.DestinationAddress).HasColumnName("destination_address");
        row.Property(r => r.MessageType).HasColumnName("message_type");
        row.Property(r => r.ContentType).HasColumnName("content_type");
        row.Property(r => r.Body).HasColumnName("body");
        row.Property(r => r.Headers).HasColumnName("headers");
        row.Property(r => r.Properties).HasColumnName("properties");
        row.Property(r => r.ConversationId).HasColumnName("conversation_id");
        row.Property(r => r.CorrelationId).HasColumnName("correlation_id");
        row.Property(r => r.InitiatorId).HasColumnName("initiator_id");
        row.Property(r => r.RequestId).HasColumnName("request_id");
        row.Property(r => r.SourceAddress).HasColumnName("source_address");
        row.Property(r => r.ResponseAddress).HasColumnName("response_address");
        row.Property(r => r.FaultAddress).HasColumnName("fault_address");
        row.Property(r => r.SentAt).HasColumnName("sent_at");
        row.Property(r => r.ExpiresAt).HasColumnName("expires_at");
        row.Property(r => r.NotBefore).HasColumnName("not_before");
        row.Property(r => r.NextAt).HasColumnName("next_at");
        row.Property(r => r.Attempts).HasColumnName("attempts");
        row.Property(r => r.LastError).HasColumnName("last_error");
        row.HasIndex(r => r.NextAt).HasDatabaseName($"{table}_next_at");
    }
}
