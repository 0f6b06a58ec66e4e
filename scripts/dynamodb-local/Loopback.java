import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import software.amazon.dynamodb.services.local.main.ServerRunner;
import software.amazon.dynamodb.services.local.server.DynamoDBProxyServer;

/** Starts DynamoDB Local on 127.0.0.1 only: its own command line has no bind address and listens everywhere. */
public final class Loopback {
    public static void main(String[] args) throws Exception {
        DynamoDBProxyServer proxy = ServerRunner.createServerFromCommandLineArgs(args);
        var field = DynamoDBProxyServer.class.getDeclaredField("server");
        field.setAccessible(true);
        for (Connector connector : ((Server) field.get(proxy)).getConnectors()) {
            ((ServerConnector) connector).setHost("127.0.0.1");
        }
        proxy.start();
        for (Connector connector : ((Server) field.get(proxy)).getConnectors()) {
            String host = ((ServerConnector) connector).getHost();
            if (!"127.0.0.1".equals(host)) {
                throw new IllegalStateException("listening on " + host + ", not on loopback");
            }
        }
        proxy.join();
    }
}
